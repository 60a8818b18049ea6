; From the boot loader to C: multiboot 1 header, 32-bit entry, long mode (Multiboot Specification 0.6.96; APM vol. 2, 14.8).
; The tables built here map the first 4 GiB one to one, all rights; boot_main replaces them at once (x86/paging.c). The other CPUs use them
; on their way up (boot/trampoline.asm), and nobody after that.

%include "core/boot/long_mode.inc"

MULTIBOOT_MAGIC equ 0x1BADB002
MULTIBOOT_FLAGS equ 0x3                 ; modules on page boundaries; a memory map
PTE_P_W         equ 3
PDE_P_W_PS      equ 0x83
COM1            equ 0x3F8
LSR_THRE        equ 0x20

extern boot_main
global boot_pml4, boot_tsc, boot_gdt_pointer, boot_stack_top

section .multiboot
align 4
        dd MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

section .text
bits 32
global _start
_start:
        cld
        mov esp, boot_stack_top
        mov esi, eax                    ; the loader's magic
        mov edi, ebx                    ; struct multiboot_info
        rdtsc
        mov [boot_tsc], eax
        mov [boot_tsc + 4], edx
        mov eax, 0x80000000
        cpuid
        cmp eax, 0x80000001
        jb no_long_mode
        mov eax, 0x80000001
        cpuid
        bt edx, 29                      ; LM
        jnc no_long_mode

        mov dword [boot_pml4], boot_pdpt + PTE_P_W
        mov eax, boot_pd + PTE_P_W
        mov ebx, boot_pdpt
        mov ecx, 4
.pdpt:  mov [ebx], eax
        add eax, 4096
        add ebx, 8
        loop .pdpt
        mov eax, PDE_P_W_PS
        mov ebx, boot_pd
        mov ecx, 4 * 512
.pd:    mov [ebx], eax
        add eax, 0x200000
        add ebx, 8
        loop .pd

        LONG_MODE_ON
        lgdt [boot_gdt_pointer]
        jmp 0x08:long_mode

no_long_mode:
        mov esi, no_long_mode_text
        mov edx, COM1 + 5
.wait:  in al, dx
        test al, LSR_THRE
        jz .wait                        ; before any guest, on the one CPU: the only wait without a deadline
        cmp byte [esi], 0
        je .stop
        mov al, [esi]
        inc esi
        mov edx, COM1
        out dx, al
        mov edx, COM1 + 5
        jmp .wait
.stop:  hlt
        jmp .stop

bits 64
long_mode:
        DATA_SEGMENTS
        mov esp, esp                    ; upper halves
        mov edi, edi
        mov esi, esi
        xor ebp, ebp                    ; ends backtraces
        call boot_main                  ; (struct multiboot_info *, magic); does not return
        ud2

section .rodata
no_long_mode_text: db 13, 10, "braid: this CPU has no long mode; boot on an x86-64 machine", 13, 10, 0
align 8
boot_gdt:
        dq 0
        dq 0x00AF9A000000FFFF           ; 0x08: 64-bit code
        dq 0x00CF92000000FFFF           ; 0x10: data
boot_gdt_pointer:
        dw boot_gdt_pointer - boot_gdt - 1
        dq boot_gdt

section .bss
align 4096
boot_pml4: resb 4096
boot_pdpt: resb 4096
boot_pd:   resb 4 * 4096
boot_stack: resb 16384
boot_stack_top:
boot_tsc:  resq 1                       ; at _start
