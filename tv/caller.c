/* The mode that a vcpu is in. */
#include "tv/caller.h"

#define LIMIT_32 (1ull << 32)
#define LIMIT_64 (1ull << 47)

enum paging caller_paging(struct vcpu *vcpu)
{
    uint64_t cr4 = vcpu_get(vcpu, REG_CR4);

    if (vcpu_get(vcpu, REG_EFER) & EFER_LMA) /* 1 with paging on only */
        return cr4 & CR4_LA57 ? PAGING_LONG5 : PAGING_LONG;
    if (!(vcpu_get(vcpu, REG_CR0) & CR0_PG))
        return PAGING_OFF;
    return cr4 & CR4_PAE ? PAGING_PAE : PAGING_32;
}

bool caller_is64(struct vcpu *vcpu)
{
    struct segment cs;

    vcpu_get_segment(vcpu, SEG_CS, &cs);
    return (vcpu_get(vcpu, REG_EFER) & EFER_LMA) && (cs.attributes & SEGMENT_LONG);
}

static uint64_t cr3_mask(struct vcpu *vcpu)
{
    switch (caller_paging(vcpu)) {
    case PAGING_PAE:
        return 0xffffffe0;
    case PAGING_32:
        return 0xfffff000;
    default:
        return 0xffffffffff000; /* 51:12; below are PCID or flags, bit 63 is not kept */
    }
}

uint64_t caller_cr3(struct vcpu *vcpu)
{
    return vcpu_get(vcpu, REG_CR3) & cr3_mask(vcpu);
}

uint64_t caller_reg(struct vcpu *vcpu, enum reg reg)
{
    uint64_t value = vcpu_get(vcpu, reg);

    return value <= UINT32_MAX || caller_is64(vcpu) ? value : (uint32_t)value;
}

bool caller_range(bool is64, uint64_t gva, uint64_t size)
{
    uint64_t limit = is64 ? LIMIT_64 : LIMIT_32;

    return gva <= limit && size <= limit - gva;
}
