; The first program of a guest whose boot is measured: Bochs stops at this XCHG, and its debugger says when.
bits 64
global _start
_start:
    xchg bx, bx
    jmp $
