/*
 * The memory types that the firmware set in the MTRRs (SDM vol. 3, 12.11). Under EPT the guest's accesses do
 * not see MTRRs, only the type in the EPT entry and the guest's PAT (29.3.7.2), so the entries repeat what
 * the MTRRs say at boot. What a guest writes to them later changes nothing for its memory.
 */
#include "core/hypapp.h"
#include "core/vmx/vmx.h"
#include "core/x86/asm.h"

enum msr_mtrr {
    MSR_MTRRCAP = 0xFE,
    MSR_MTRR_BASE0 = 0x200, /* base and mask in turn */
    MSR_MTRR_FIX64K = 0x250,
    MSR_MTRR_FIX16K = 0x258,
    MSR_MTRR_FIX4K = 0x268,
    MSR_MTRR_DEFAULT = 0x2FF
};
enum {
    MTRRCAP_COUNT = 0xFF,
    MTRRCAP_FIXED = 1 << 8,
    DEFAULT_FIXED = 1 << 10,
    DEFAULT_ON = 1 << 11,
    MASK_VALID = 1 << 11
};
enum type { TYPE_UC = 0, TYPE_WT = 4, TYPE_WB = 6 };
enum { MAX_RANGES = 32, FIXED_END = 0x100000, FIXED_MSRS = 11 };

static struct range {
    uint64_t base, mask;
    uint8_t type;
} ranges[MAX_RANGES];
static unsigned range_count;
static uint8_t fixed[FIXED_MSRS * 8]; /* of 64 KiB up to 512 KiB, of 16 KiB up to 768 KiB, then of 4 KiB */
static bool on, fixed_on;
static uint8_t other;

void mtrr_read(void)
{
    uint64_t cap = rdmsr(MSR_MTRRCAP), base = rdmsr(MSR_MTRR_DEFAULT);
    on = base & DEFAULT_ON;
    fixed_on = on && cap & MTRRCAP_FIXED && base & DEFAULT_FIXED;
    other = (uint8_t)base;
    for (unsigned i = 0; i < (cap & MTRRCAP_COUNT) && range_count < MAX_RANGES; i++) {
        uint64_t start = rdmsr(MSR_MTRR_BASE0 + 2 * i), mask = rdmsr(MSR_MTRR_BASE0 + 2 * i + 1);
        if (mask & MASK_VALID)
            ranges[range_count++] = (struct range){start & PAGE_MASK, mask & PAGE_MASK, (uint8_t)start};
    }
    for (unsigned i = 0; fixed_on && i < FIXED_MSRS; i++) {
        uint32_t msr = i == 0 ? MSR_MTRR_FIX64K : i < 3 ? MSR_MTRR_FIX16K + i - 1 : MSR_MTRR_FIX4K + i - 3;
        uint64_t types = rdmsr(msr);
        for (unsigned j = 0; j < 8; j++)
            fixed[i * 8 + j] = (uint8_t)(types >> 8 * j);
    }
}

static unsigned fixed_index(uint64_t address)
{
    if (address < 0x80000)
        return (unsigned)(address >> 16);
    if (address < 0xC0000)
        return (unsigned)(8 + ((address - 0x80000) >> 14));
    return (unsigned)(24 + ((address - 0xC0000) >> 12));
}

/* Where ranges overlap: UC wins, then WT over WB. */
unsigned mtrr_type(uint64_t address)
{
    if (!on)
        return TYPE_UC;
    if (fixed_on && address < FIXED_END)
        return fixed[fixed_index(address)];
    unsigned type = other;
    bool found = false;
    for (unsigned i = 0; i < range_count; i++) {
        if ((address ^ ranges[i].base) & ranges[i].mask)
            continue;
        type = found && ranges[i].type > type ? type : ranges[i].type;
        found = true;
    }
    return type;
}

bool mtrr_uniform(uint64_t address, uint64_t size)
{
    if (!on)
        return true;
    if (fixed_on && address < FIXED_END && size > PAGE_SIZE)
        return false;
    for (unsigned i = 0; i < range_count;
         i++) /* a range that is smaller, or has a hole in its mask, and lies inside */
        if (!((address ^ ranges[i].base) & ranges[i].mask & ~(size - 1)) && ranges[i].mask & (size - 1))
            return false;
    return true;
}
