; The world switch (SDM vol. 3, chapters 27 and 28). VM entry and exit switch RSP, RIP, RFLAGS, CR0, CR3, CR4, DR7, the segments, GDTR, IDTR, and by
; controls EFER, PAT and DEBUGCTL; the other general registers go here. CR2, DR0 to DR3, DR6, the syscall MSRs and XCR0 stay the guest's.

%include "offsets.inc"

global vmx_enter, vmx_look, vmx_look_end, vmx_exited
HOST_RSP equ 0x6C14
EXITED    equ 0                         ; enum vmx_entered
NMI_FIRST equ 1
REFUSED   equ 2

section .text
bits 64

%macro GUEST 3                          ; GUEST load|save, register, number
%ifidn %1, load
        mov %2, [rdi + VCPU_GPR + 8 * %3]
%else
        mov [rdi + VCPU_GPR + 8 * %3], %2
%endif
%endmacro
%macro GUEST_ALL 1                      ; all but RSP (in the VMCS) and RDI (the base)
        GUEST %1, rax, 0
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

; enum vmx_entered vmx_enter(struct vcpu *rdi, uint32_t nmis esi, bool launched edx)
vmx_enter:
        push rbp
        push rbx
        push r12
        push r13
        push r14
        push r15
        push rdx
        push rsi
        push rdi
        mov eax, HOST_RSP
        vmwrite rax, rsp
; The last look. The NMI handler moves a RIP in [vmx_look, vmx_look_end) back to vmx_look, where nothing but RSP and the stack is used.
vmx_look:
        mov eax, [gs:CPU_NMI_SEEN]
        cmp eax, [rsp + 8]
        jne nmi_first
        mov rdi, [rsp]
        cmp byte [rsp + 16], 0          ; launched before? MOV keeps the flags
        GUEST_ALL load
        GUEST load, rdi, 7
        je launch
        vmresume
        jmp refused                     ; an NMI here makes it try again, and be refused again
launch: vmlaunch
vmx_look_end:
refused:
        mov eax, REFUSED
        jmp return
nmi_first:
        mov eax, NMI_FIRST
        jmp return
vmx_exited:                             ; HOST_RIP
        push rdi
        mov rdi, [rsp + 8]
        GUEST_ALL save
        pop rax
        GUEST save, rax, 7
        xor eax, eax                    ; EXITED
return: add rsp, 24
        pop r15
        pop r14
        pop r13
        pop r12
        pop rbx
        pop rbp
        ret
