; The world switch (SDM vol. 3, chapters 27 and 28). VM entry and exit switch RSP, RIP, RFLAGS, CR0, CR3, CR4, DR7, the segments, GDTR, IDTR, and by
; controls EFER, PAT and DEBUGCTL; the other general registers go here. CR2, DR0 to DR3, DR6, the syscall MSRs and XCR0 stay the guest's.

%include "offsets.inc"
%include "core/x86/registers.inc"

global vmx_enter, vmx_look, vmx_look_end, vmx_exited
HOST_RSP equ 0x6C14
EXITED    equ 0                         ; enum vmx_entered
NMI_FIRST equ 1
REFUSED   equ 2
%define GPR rdi + CPU_VCPU + VCPU_GPR   ; RDI: this_cpu

section .text
bits 64

; enum vmx_entered vmx_enter(void): runs this CPU's vcpu
vmx_enter:
        PUSH_HOST
        mov eax, HOST_RSP
        vmwrite rax, rsp
; The last look. The NMI handler moves a RIP in [vmx_look, vmx_look_end) back to vmx_look, where nothing but GS and RSP is used.
vmx_look:
        mov rdi, [gs:CPU_SELF]
        mov eax, [rdi + CPU_NMI_SEEN]
        cmp eax, [rdi + CPU_VCPU + VCPU_NMIS_AT_CLOSE]
        jne nmi_first
        cmp byte [rdi + CPU_VCPU + VCPU_LAUNCHED], 0 ; MOV keeps the flags
        GUEST_MOST load, GPR
        GUEST load, GPR, rax, 0
        GUEST load, GPR, rdi, 7
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
        mov rdi, [gs:CPU_SELF]
        GUEST save, GPR, rax, 0
        GUEST_MOST save, GPR
        pop qword [GPR + 8 * 7]
        xor eax, eax                    ; EXITED
return: POP_HOST
        ret
