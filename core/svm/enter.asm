; The world switch (APM vol. 2, 15.5). VMRUN and #VMEXIT switch RAX, RSP, RIP, RFLAGS, control registers, EFER and the segments CS, SS, DS, ES;
; FS, GS, TR, LDTR, KernelGSBase and the syscall MSRs go by VMLOAD and VMSAVE; the other general registers go here. GIF is 0 throughout.

%include "offsets.inc"
%include "core/x86/registers.inc"

global svm_enter
section .text
bits 64

; void svm_enter(struct vcpu *rdi, uint64_t guest_vmcb rsi, uint64_t host_vmcb rdx)
svm_enter:
        PUSH_HOST
        push rdx
        push rdi
        mov rax, rsi
        GUEST_MOST load, rdi + VCPU_GPR
        GUEST load, rdi + VCPU_GPR, rdi, 7
        vmload                          ; RAX
        vmrun                           ; RAX and RSP are the host's again behind it
        vmsave
        push rdi
        mov rdi, [rsp + 8]
        GUEST_MOST save, rdi + VCPU_GPR
        pop qword [rdi + VCPU_GPR + 8 * 7]
        pop rdi
        pop rax
        vmload                          ; GS first of all: this_cpu works again
        POP_HOST
        ret
