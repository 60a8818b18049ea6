; An application processor's way up: copied to one page below 1 MiB, entered in real mode at page:0 by SIPI (SDM vol. 3, 8.4.4).
; boot/ap.c fills trampoline_cpu and trampoline_stack for one CPU at a time, and waits for it with a deadline.

%include "core/boot/long_mode.inc"

extern boot_pml4, ap_main
global trampoline_start, trampoline_end, trampoline_cpu, trampoline_stack

section .rodata
align 16
bits 16
trampoline_start:
        cli
        cld
        mov ax, cs
        mov ds, ax
        o32 lgdt [cs:gdt_pointer - trampoline_start] ; all 32 bits of the base
        LONG_MODE_ON
        jmp dword 0x08:long_entry

align 8
gdt:    dq 0
        dq 0x00AF9A000000FFFF
        dq 0x00CF92000000FFFF
gdt_pointer:
        dw gdt_pointer - gdt - 1
        dd gdt                          ; the copy in the image: mapped one to one, readable in real mode's 32-bit base too
trampoline_end:

section .text
bits 64
long_entry:
        DATA_SEGMENTS
        xor ebp, ebp
        mov rsp, [trampoline_stack]
        mov rdi, [trampoline_cpu]
        call ap_main                    ; does not return
        ud2

section .data
align 8
trampoline_cpu:   dq 0
trampoline_stack: dq 0
