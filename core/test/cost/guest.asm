; A guest that measures what stopping the machine costs: a bzImage as far as a boot loader looks, that starts all
; other CPUs, has the hypervisor stop them again and again (boot option test=on), says on COM2 how many TSC ticks
; that took, and turns the machine off. ci/quiesce_cost.py reads it.
;
; The other CPUs stay in real mode and count, with interrupts off: what stops them is the NMI alone. The first one
; runs in 32-bit protected mode without paging, as the loader leaves it.
;
;     COST spin=S hold=H cpus=N exits=E ticks=T... back=B...     all hexadecimal
;
; E: exits of all CPUs in the whole line. T: from before a hypercall to behind it. B: from there until all others
; have been seen to count again.

LOAD    equ 0x1000000
AP      equ 0x8000              ; the other CPUs' code; SIPI's vector is AP >> 12
COUNT   equ 0x7000              ; how many CPUs run
COUNTERS equ 0x7010             ; a dword for each
ICR     equ 0xFEE00300
COM2    equ 0x2F8
CALL_QUIESCE equ 0x42520001
CALL_COUNTER equ 0x42520002
CALL_PARK    equ 0x42520003
ROUNDS   equ 24
SETTLE  equ 30000               ; ticks between two: everyone is back in the guest
START   equ 3000000             ; ticks in which no CPU has started any more

org LOAD - 0x400
    times 0x1f1 db 0
    db 1                        ; setup_sects: the next 512 bytes
    dw 0
    dd 0, 0
    dw 0, 0xaa55
    db 0xeb, 0x62               ; the header ends behind init_size
    db "HdrS"
    dw 0x020f
    dd 0, 0
    db 0, 1, 0, 0               ; LOADED_HIGH
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

bits 32
start:
    cli
    mov esp, stack_top
    mov al, 0xFF
    out 0x21, al                ; the PICs' interrupts
    out 0xA1, al
    mov dx, COM2 + 3
    mov al, 0x83                ; DLAB; 115200 8N1
    out dx, al
    mov dx, COM2
    mov al, 1
    out dx, al
    inc dx
    xor al, al
    out dx, al
    mov dx, COM2 + 3
    mov al, 3
    out dx, al
    dec dx
    mov al, 7
    out dx, al

    xor eax, eax
    cpuid
    mov esi, vmmcall_insn
    cmp ebx, "Auth"
    je .vendor
    mov esi, vmcall_insn
.vendor:
    mov edi, hypercall
    movsd

    mov esi, ap_code
    mov edi, AP
    mov ecx, ap_end - ap_code
    rep movsb
    mov dword [COUNT], 1
    mov dword [ICR + 0x10], 0
    mov dword [ICR], 0xC4500    ; INIT, all but self
    mov eax, SETTLE
    call delay
    mov dword [ICR], 0xC4600 | AP >> 12
.starting:
    mov ebp, [COUNT]
    mov eax, START
    call delay
    cmp ebp, [COUNT]
    jne .starting

    mov dword [spin], 0
.modes:
    mov eax, CALL_PARK
    mov ecx, [spin]
    call hypercall
    mov dword [hold], 0
.holds:
    call measure
    add dword [hold], 50000
    cmp dword [hold], 50000
    jbe .holds
    inc dword [spin]
    cmp dword [spin], 1
    jbe .modes

    mov esi, result
    call puts
    mov eax, START
    call delay
    mov ax, 1 << 13             ; S5
    mov dx, 0xB004              ; Bochs
    out dx, ax
    mov dx, 0x604               ; QEMU
    out dx, ax
.dead:
    hlt
    jmp .dead

measure:
    mov esi, cost
    call puts
    mov eax, [spin]
    call put_number
    mov esi, hold_is
    call puts
    mov eax, [hold]
    call put_number
    mov esi, cpus_is
    call puts
    mov eax, [COUNT]
    call put_number
    mov dword [left], ROUNDS
    mov edi, ticks
    call exits
    mov ebp, eax
.again:
    mov eax, SETTLE
    call delay
    push edi
    rdtsc
    mov [before], eax
    mov eax, CALL_QUIESCE
    mov ecx, 1
    mov edx, [hold]
    call hypercall
    rdtsc
    pop edi
    mov ecx, eax
    sub eax, [before]
    stosd
    mov ebx, COUNTERS + 4
    mov esi, [COUNT]
    jmp .next
.others:
    mov eax, [ebx]
.still:
    cmp eax, [ebx]
    je .still
    add ebx, 4
.next:
    dec esi
    jnz .others
    rdtsc
    sub eax, ecx
    mov [edi + 4 * ROUNDS - 4], eax
    dec dword [left]
    jnz .again
    call exits
    sub eax, ebp
    mov esi, exits_is
    push eax
    call puts
    pop eax
    call put_number
    mov esi, ticks_are
    call puts
    mov edi, ticks
    call show
    mov esi, back_is
    call puts
    call show
    mov al, 10
    jmp put

; ROUNDS numbers from EDI on
show:
    mov dword [left], ROUNDS
.show:
    mov eax, [edi]
    add edi, 4
    call put_number
    mov al, ' '
    call put
    dec dword [left]
    jnz .show
    ret

exits:
    mov eax, CALL_COUNTER
    mov ecx, 1
    jmp hypercall

; EAX: ticks
delay:
    push edx
    mov ecx, eax
    rdtsc
    mov ebx, eax
.wait:
    pause
    rdtsc
    sub eax, ebx
    cmp eax, ecx
    jb .wait
    pop edx
    ret

; AL
put:
    push edx
    mov ah, al
    mov dx, COM2 + 5
.busy:
    in al, dx
    test al, 0x20
    jz .busy
    mov dx, COM2
    mov al, ah
    out dx, al
    pop edx
    ret

puts:
    lodsb
    test al, al
    jz .end
    call put
    jmp puts
.end:
    ret

; EAX, in hexadecimal
put_number:
    mov ebx, eax
    mov ecx, 8
.digit:
    rol ebx, 4
    mov eax, ebx
    and eax, 15
    mov al, [digits + eax]
    call put
    loop .digit
    ret

hypercall:                      ; its first four bytes are made at the start
    times 4 nop
vmcall_insn:
    vmcall
    ret
vmmcall_insn:
    vmmcall
    ret

digits    db "0123456789abcdef"
cost      db "COST spin=", 0
hold_is   db " hold=", 0
cpus_is   db " cpus=", 0
exits_is  db " exits=", 0
ticks_are db " ticks=", 0
back_is   db "back=", 0
result    db "RESULT 0", 10, 0

bits 16
ap_code:
    cli
    xor ax, ax
    mov ds, ax
    mov bx, 1
    lock xadd [COUNT], bx
    shl bx, 2
.run:
    inc dword [bx + COUNTERS]
    jmp .run
ap_end:

bits 32
times 4096 - ($ - $$) db 0      ; the loader wants as much
absolute LOAD + 0x1000
spin   resd 1
hold   resd 1
left   resd 1
before resd 1
ticks  resd 2 * ROUNDS
       resb 4096
stack_top:
