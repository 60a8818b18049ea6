/* The mode that a vcpu is in, as TrustVisor's ABI cares for it. All are for the CPU that runs the vcpu. */
#ifndef TV_CALLER_H
#define TV_CALLER_H

#include "core/hypapp.h"

enum {
    CR0_EM = 1u << 2,
    CR0_TS = 1u << 3,
    CR0_PG = 1u << 31,
    CR4_PAE = 1u << 5,
    CR4_LA57 = 1u << 12,
    CR4_UINTR = 1u << 25,
    EFER_SCE = 1u << 0,
    EFER_LMA = 1u << 10,
    RFLAGS_FIXED = 1u << 1, /* always one */
    RFLAGS_IF = 1u << 9,
    RFLAGS_IOPL = 3u << 12,
    RFLAGS_RF = 1u << 16,
    RFLAGS_VM = 1u << 17,
    DR7_OFF = 1u << 10, /* its fixed bit alone: no breakpoints */
    VECTOR_GP = 13,
    VECTOR_PF = 14,
    PF_PRESENT = 1u << 0,
    PF_WRITE = 1u << 1,
    PF_USER = 1u << 2,
    PT_DIRTY = 1u << 6, /* of the entry that maps a page, in all modes */
};

enum paging { PAGING_OFF, PAGING_32, PAGING_PAE, PAGING_LONG, PAGING_LONG5 };

enum paging caller_paging(const struct guest_space *space);
/* A 64-bit code segment; compatibility mode is 32-bit. */
bool caller_is64(struct vcpu *vcpu);
/* CR3 without PCID and flags. */
uint64_t caller_cr3(const struct guest_space *space);
/* An address or stack pointer in a register: its low 32 bits if the caller is 32-bit. */
static inline uint64_t caller_reg(struct vcpu *vcpu, enum reg reg)
{
    uint64_t value = vcpu_get(vcpu, reg);

    return value <= UINT32_MAX || caller_is64(vcpu) ? value : (uint32_t)value;
}
/* Whether all of gva .. gva + size - 1 can be a user's: below 4 GiB, or in the lower half for a 64-bit
 * caller. */
bool caller_range(bool is64, uint64_t gva, uint64_t size);

#endif
