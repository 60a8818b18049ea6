/* The mode that a vcpu is in. */
#include "tv/caller.h"

#define LIMIT_32 (1ull << 32)
#define LIMIT_64 (1ull << 47)

enum paging caller_paging(const struct guest_space *space)
{
    if (!space->paging)
        return PAGING_OFF;
    if (space->long_mode)
        return space->la57 ? PAGING_LONG5 : PAGING_LONG;
    return space->pae ? PAGING_PAE : PAGING_32;
}

bool caller_is64(struct vcpu *vcpu)
{
    struct segment cs;

    vcpu_get_segment(vcpu, SEG_CS, &cs);
    return (vcpu_get(vcpu, REG_EFER) & EFER_LMA) && (cs.attributes & SEGMENT_LONG);
}

uint64_t caller_cr3(const struct guest_space *space)
{
    switch (caller_paging(space)) {
    case PAGING_PAE:
        return space->cr3 & 0xffffffe0;
    case PAGING_32:
        return space->cr3 & 0xfffff000;
    default:
        return space->cr3 & 0xffffffffff000; /* 51:12; below are PCID or flags, bit 63 is not kept */
    }
}

bool caller_range(bool is64, uint64_t gva, uint64_t size)
{
    uint64_t limit = is64 ? LIMIT_64 : LIMIT_32;

    return gva <= limit && size <= limit - gva;
}
