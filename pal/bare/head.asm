; The bare guest's start and its way in and out of a case. It is a bzImage as far as a boot loader looks: the
; header of the Linux boot protocol, and behind it code that is entered in 32-bit protected mode at 16 MiB.
;
; run() loads every register from `state` and jumps to the case's code by IRET, at CPL 0 or 3. Whatever ends
; it, a fault or the INT behind it, comes to `trap`, which stores every register in `state` and returns from
; run(). NMIs are counted and go back to where they came from.

LOAD     equ 0x1000000
RESERVED equ 0x7800000          ; the hypervisor's: the PD of VA 4 GiB is there, which no walk may read
VECTORS  equ 32
FINISHED equ 0x40               ; the INT behind a case
PRESENT_WRITE_USER equ 7
LARGE    equ 1 << 7
DIRTY    equ 1 << 6             ; TrustVisor asks for it, by a #PF, where it is to write a result

extern main
global run, stubs, target, nmis, nmi_rip, nmi_again, nmi_nested, state, gdt, tss
global _start

section .header progbits alloc
    times 0x1f1 db 0
    db 1                        ; setup_sects: the next 512 bytes
    dw 0
    dd 0, 0                     ; syssize; ram_size, vid_mode
    dw 0, 0xaa55
    db 0xeb, 0x62               ; the header ends behind init_size
    db "HdrS"
    dw 0x020f
    dd 0, 0
    db 0, 1, 0, 0               ; type_of_loader, LOADED_HIGH, setup_move_size
    dd LOAD, 0, 0, 0
    dw 0, 0
    dd 0, 0x7fffffff, 0x200000  ; cmd_line_ptr, initrd_addr_max, kernel_alignment
    db 0, 21
    dw 0
    dd 2047, 0
    dq 0
    dd 0, 0
    dq 0, LOAD
    dd 0x200000                 ; init_size
    times 0x400 - ($ - $$) db 0

section .text.start progbits alloc exec
bits 32
_start:
    cli
    mov dword [pml4], pdpt + PRESENT_WRITE_USER
    mov eax, pd + PRESENT_WRITE_USER
    mov edi, pdpt
    mov ecx, 4
.tables:
    mov [edi], eax
    add eax, 4096
    add edi, 8
    loop .tables
    mov dword [edi], RESERVED + PRESENT_WRITE_USER
    mov eax, LARGE + DIRTY + PRESENT_WRITE_USER
    mov edi, pd
    mov ecx, 4 * 512
.pages:
    mov [edi], eax
    add eax, 2 << 20
    add edi, 8
    loop .pages

    lgdt [gdt_pointer]
    mov eax, cr4
    or eax, 1 << 5              ; PAE
    mov cr4, eax
    mov eax, pml4
    mov cr3, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 1 << 8              ; LME
    wrmsr
    mov eax, cr0
    or eax, 1 << 31 | 1 << 5 | 1 ; PG, NE
    mov cr0, eax
    jmp 0x08:start64

bits 64
default rel
start64:
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    mov rsp, stack_top
    call main
.dead:
    cli
    hlt
    jmp .dead

; The order of struct state: 16 registers as they are numbered, then these.
%define REG(n) [state + 8 * n]
RIP_AT equ 16
FLAGS_AT equ 17
CS_AT  equ 18
SS_AT  equ 19
VECTOR_AT equ 20
ERROR_AT  equ 21

run:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    mov [saved_rsp], rsp
    push qword REG(SS_AT)
    push qword REG(4)
    push qword REG(FLAGS_AT)
    push qword REG(CS_AT)
    lea rax, [trampoline]
    push rax
; Of all registers but RSP, in the order of struct state.
%define N0 rax
%define N1 rcx
%define N2 rdx
%define N3 rbx
%define N5 rbp
%define N6 rsi
%define N7 rdi
%define N8 r8
%define N9 r9
%define N10 r10
%define N11 r11
%define N12 r12
%define N13 r13
%define N14 r14
%define N15 r15
%macro load 1
    mov N%1, REG(%1)
%endmacro
%macro store 1
    mov REG(%1), N%1
%endmacro
%macro all 1
%assign n 0
%rep 16
%if n != 4
%1 n
%endif
%assign n n + 1
%endrep
%endmacro
    all load
    iretq

trampoline:
    call [target]
    int FINISHED

align 16
stubs:
%assign v 0
%rep VECTORS
    align 16
%if v == 2
    jmp nmi
%else
%if !(v == 8 || (v >= 10 && v <= 14) || v == 17 || v == 21 || v == 30)
    push 0
%endif
    push v
    jmp trap
%endif
%assign v v + 1
%endrep
    align 16
    push 0
    push FINISHED

trap:
    all store
    pop qword REG(VECTOR_AT)
    pop qword REG(ERROR_AT)
    pop qword REG(RIP_AT)
    pop rax                     ; CS
    pop qword REG(FLAGS_AT)
    pop qword REG(4)
    mov rsp, [saved_rsp]
    cld
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret

; [nmi_again] more are sent from within: each must wait for this one's IRET.
nmi:
    push rax
    push rdx
    inc qword [nmis]
    mov rax, [rsp + 16]
    mov [nmi_rip], rax
    inc qword [depth]
    cmp qword [depth], 1
    je .outermost
    inc qword [nmi_nested]
.outermost:
    cmp qword [nmi_again], 0
    je .done
    dec qword [nmi_again]
    mov edx, 0xfee00300
    mov dword [rdx], 0x44400    ; ICR: an NMI to this CPU
    mov eax, [rdx]              ; the write is through
.done:
    dec qword [depth]
    pop rdx
    pop rax
    iretq

section .data progbits alloc write
align 16
gdt:
    dq 0, 0x00209b0000000000, 0x00cf93000000ffff ; code and data of CPL 0
    dq 0x00cff3000000ffff, 0x0020fb0000000000    ; data and code of CPL 3
    dq 0, 0                                      ; TSS: main() fills it in
gdt_pointer:
    dw gdt_pointer - gdt - 1
    dq gdt
align 16
tss: times 104 db 0
target: dq 0
nmis: dq 0
nmi_rip: dq 0
nmi_again: dq 0
nmi_nested: dq 0
depth: dq 0
saved_rsp: dq 0
state: times 22 dq 0
align 4096
pml4: times 4096 db 0
pdpt: times 4096 db 0
pd:   times 4 * 4096 db 0
stack: times 16384 db 0
stack_top:
