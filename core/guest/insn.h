/*
 * A decoder for the few instructions that a hypervisor must understand on CPUs without decode assists and
 * next-RIP save: stores to the LAPIC page, and the instructions that it intercepts. Anything else is refused.
 *
 * Pure functions: any context, no state.
 */
#ifndef CORE_GUEST_INSN_H
#define CORE_GUEST_INSN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/hypapp.h"

enum { INSN_MAX = 15 }; /* bytes in the longest legal instruction */

/* The code segment: 16 for real mode and D = 0, 32 for D = 1, 64 for L = 1 with EFER.LMA. */
enum insn_mode { INSN_16, INSN_32, INSN_64 };

enum insn_class {
    INSN_STORE_REG, /* 88, 89: MOV to memory from a register */
    INSN_STORE_IMM, /* C6 /0, C7 /0: MOV to memory of an immediate */
    INSN_STORE_ACC, /* A2, A3: MOV to an absolute address from AL, AX, EAX, RAX; reg is REG_RAX */
    INSN_XCHG,      /* 86, 87: exchange of a register with memory; the register gets the old value */
    INSN_CPUID,
    INSN_RDMSR,
    INSN_WRMSR,
    INSN_HLT,
    INSN_VMCALL,  /* Intel's 0F 01 C1 */
    INSN_VMMCALL, /* AMD's 0F 01 D9 */
    INSN_XSETBV,
    INSN_IRET,
    INSN_OTHER_SYSTEM, /* INVD, WBINVD, RDTSC, RDTSCP, RDPMC, MONITOR, MWAIT and the SVM instructions: only
                          the length matters */
};

struct insn {
    enum insn_class class;
    uint8_t length;
    uint8_t size;       /* of stores and XCHG: bytes written, 1, 2, 4 or 8 */
    enum reg reg;       /* of STORE_REG, STORE_ACC, XCHG: the source */
    bool high_byte;     /* the source is bits 15:8 of reg (AH, CH, DH, BH) */
    bool lock;          /* a LOCK prefix; only XCHG may have one */
    uint64_t immediate; /* of STORE_IMM: sign-extended to 64 bits; size bytes of it are stored */
};

/* Decodes the instruction at bytes, of which `available` may be read (the fetch ended at a page that is not
   there, or more than enough). Returns its length, also in out->length. -E_FAULT: the instruction goes on
   behind the available bytes. -E_INVAL: not one of the above, register operand where memory is meant,
   illegal, or longer than INSN_MAX. On error *out is undefined. */
int insn_decode(const uint8_t *bytes, unsigned available, enum insn_mode mode, struct insn *out);

#endif
