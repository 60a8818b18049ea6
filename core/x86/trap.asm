; Entry stubs of the 32 exceptions, and the places whose RIP a trap handler may move: msr_read_safe, msr_write_safe, xsetbv_safe and cpu_wait.

extern trap_handle
global trap_stubs, msr_read_safe, msr_write_safe, msr_fault, msr_read_at, msr_write_at, xsetbv_safe, xsetbv_at, cpu_wait, cpu_wait_look, cpu_wait_end

WITH_ERROR equ (1 << 8) | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 13) | (1 << 14) | (1 << 17) | (1 << 21) | (1 << 29) | (1 << 30)

FRAME_RIP equ 17 * 8                     ; of struct trap_frame

section .text
bits 64

%macro STUB 1
trap_stub_%1:
%if ((WITH_ERROR >> %1) & 1) == 0
        push 0
%endif
        push %1
        jmp trap_common
%endmacro
%assign n 0
%rep 32
        STUB n
%assign n n + 1
%endrep

; The stack now is struct trap_frame from error_code on (x86/trap.h).
trap_common:
        push rax
        push rcx
        push rdx
        push rbx
        push rbp
        push rsi
        push rdi
        push r8
        push r9
        push r10
        push r11
        push r12
        push r13
        push r14
        push r15
        cld
        mov rdi, rsp
        push qword [rdi + FRAME_RIP]    ; a frame for backtraces: as if what was interrupted had called
        inc qword [rsp]                 ; a return address stands for the instruction before it
        push rbp
        mov rbp, rsp
        and rsp, -16
        call trap_handle
        lea rsp, [rbp + 16]
        pop r15
        pop r14
        pop r13
        pop r12
        pop r11
        pop r10
        pop r9
        pop r8
        pop rdi
        pop rsi
        pop rbp
        pop rbx
        pop rdx
        pop rcx
        pop rax
        add rsp, 16                     ; vector, error code
        iretq

; bool msr_read_safe(uint32_t msr, uint64_t *value): false where RDMSR raised #GP (trap.c sends it to msr_fault).
msr_read_safe:
        mov ecx, edi
msr_read_at:
        rdmsr
        shl rdx, 32
        or rax, rdx
        mov [rsi], rax
        mov eax, 1
        ret
; bool msr_write_safe(uint32_t msr, uint64_t value)
msr_write_safe:
        mov ecx, edi
        mov eax, esi
        mov rdx, rsi
        shr rdx, 32
msr_write_at:
        wrmsr
        mov eax, 1
        ret
; bool xsetbv_safe(uint32_t index, uint64_t value); needs CR4.OSXSAVE
xsetbv_safe:
        mov ecx, edi
        mov eax, esi
        mov rdx, rsi
        shr rdx, 32
xsetbv_at:
        xsetbv
        mov eax, 1
        ret
msr_fault:
        xor eax, eax
        ret

; void cpu_wait(_Atomic uint32_t *word, uint32_t value): halts until an NMI, if *word == value.
; The waker changes what is waited for, then rings; the NMI handler changes *word. An NMI between the look and HLT would be
; taken before HLT and leave it waiting for ever: the handler moves a RIP in [cpu_wait_look, cpu_wait_end) back to the look.
cpu_wait:
cpu_wait_look:
        cmp [rdi], esi
        jne cpu_wait_end
        hlt
cpu_wait_end:
        ret

section .rodata
align 8
trap_stubs:
%assign n 0
%rep 32
        dq trap_stub_%+ n
%assign n n + 1
%endrep
