/* EPT entries (SDM vol. 3, 29.3.2), with the memory types of vmx/mtrr.c, and their flush. */
#include "core/vmx/vmx.h"

/* EPT can forbid reads and allow fetches; other vendors' tables cannot, so it is not used. */
uint64_t vmx_nested_leaf(uint64_t address, unsigned prot, bool large)
{
    return address | prot | (prot ? ACCESS_READ : 0) | (uint64_t)mtrr_type(address) << EPT_TYPE_SHIFT |
           (large ? EPT_LARGE : 0);
}
uint64_t vmx_nested_table(uint64_t address)
{
    return address | EPT_RIGHTS;
}
unsigned vmx_nested_prot(uint64_t entry)
{
    return entry & EPT_RIGHTS;
}
bool vmx_nested_whole(uint64_t address, uint64_t size)
{
    uint64_t need = size == 0x40000000 ? EPT_CAP_1G : size == 0x200000 ? EPT_CAP_2M : 0;
    return (vmx_controls.ept_vpid & need) == need && mtrr_uniform(address, size);
}

/* All translations of all views: guest-physical and combined by INVEPT, linear and combined by INVVPID
 * (29.4.3.1). */
void vmx_flush(void)
{
    const struct {
        uint64_t word[2];
    } none = {{0, 0}};
    __asm__ volatile("invept %0, %1" ::"m"(none), "r"((uint64_t)INVALIDATE_ALL) : "cc", "memory");
    __asm__ volatile("invvpid %0, %1" ::"m"(none), "r"((uint64_t)INVALIDATE_ALL) : "cc", "memory");
}
