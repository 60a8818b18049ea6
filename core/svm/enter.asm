; The world switch (APM vol. 2, 15.5). VMRUN and #VMEXIT switch RAX, RSP, RIP, RFLAGS, control registers, EFER and the segments CS, SS, DS, ES;
; FS, GS, TR, LDTR, KernelGSBase and the syscall MSRs go by VMLOAD and VMSAVE; the other general registers go here. GIF is 0 throughout.

%include "offsets.inc"

global svm_enter
section .text
bits 64

%macro GUEST 3                          ; GUEST load|save, register, number
%ifidn %1, load
        mov %2, [rdi + VCPU_GPR + 8 * %3]
%else
        mov [rdi + VCPU_GPR + 8 * %3], %2
%endif
%endmacro
%macro GUEST_ALL 1                      ; all but RAX, RSP (in the VMCB) and RDI (the base)
        GUEST %1, rcx, 1
        GUEST %1, rdx, 2
        GUEST %1, rbx, 3
        GUEST %1, rbp, 5
        GUEST %1, rsi, 6
        GUEST %1, r8, 8
        GUEST %1, r9, 9
        GUEST %1, r10, 10
        GUEST %1, r11, 11
        GUEST %1, r12, 12
        GUEST %1, r13, 13
        GUEST %1, r14, 14
        GUEST %1, r15, 15
%endmacro

; void svm_enter(struct vcpu *rdi, uint64_t guest_vmcb rsi, uint64_t host_vmcb rdx)
svm_enter:
        push rbp
        push rbx
        push r12
        push r13
        push r14
        push r15
        push rdx
        push rdi
        mov rax, rsi
        GUEST_ALL load
        GUEST load, rdi, 7
        vmload                          ; RAX
        vmrun                           ; RAX and RSP are the host's again behind it
        vmsave
        push rdi
        mov rdi, [rsp + 8]
        GUEST_ALL save
        pop rax
        mov [rdi + VCPU_GPR + 8 * 7], rax
        pop rdi
        pop rax
        vmload                          ; GS first of all: this_cpu works again
        pop r15
        pop r14
        pop r13
        pop r12
        pop rbx
        pop rbp
        ret
