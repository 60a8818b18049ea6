/* Control registers that the guest does not have to itself (SDM vol. 3). CR0.NE, NW and CD are shadowed, so
 * a MOV to CR0 that changes one of them exits and is done here whole, paging included. CR4.VMXE reads 0 and
 * cannot be set. */
#include "core/vmx/vmx.h"
#include "core/view.h"
#include "core/x86/asm.h"
#include "core/x86/trap.h"

enum cr_access { MOV_TO_CR = 0, ACCESS_SHIFT = 4, REGISTER_SHIFT = 8 };
#define CR0_DEFINED                                                                                          \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)
#define PDPTE_PRESENT  1ull
#define PDPTE_RESERVED 0x1E6ull

/* All four or none, from one read of each: another CPU may write them meanwhile. Reserved are also the bits
 * above the CPU's physical addresses (4.4.1). */
bool vmx_load_pdptes(struct vcpu *vcpu)
{
    uint64_t cr3 = vmread(GUEST_CR3) & 0xFFFFFFE0, pdptes[4];
    uint64_t reserved = PDPTE_RESERVED | vmx_of(vcpu)->not_physical;
    const uint8_t *page = view_memory(vcpu->view, cr3, ACCESS_READ);
    if (!page)
        return false;
    const volatile uint64_t *table = (const volatile void *)(page + cr3 % PAGE_SIZE);
    for (unsigned i = 0; i < 4; i++) {
        pdptes[i] = table[i];
        if (pdptes[i] & PDPTE_PRESENT && pdptes[i] & reserved)
            return false;
    }
    for (unsigned i = 0; i < 4; i++)
        vmwrite(GUEST_PDPTE0 + 2 * i, pdptes[i]);
    return true;
}

/* May paging go on or off (4.1.2)? */
static bool paging_allowed(struct vcpu *vcpu, bool on)
{
    uint64_t efer = vmread(GUEST_EFER), cr4 = vmread(GUEST_CR4);
    struct segment cs;
    backend->segment(vcpu, SEG_CS, &cs);
    bool code_64 = cs.attributes & SEGMENT_LONG;
    if (on)
        return !(efer & EFER_LME) || (cr4 & CR4_PAE && !code_64);
    return !(cr4 & CR4_PCIDE) && !(efer & EFER_LMA && code_64);
}

/* Long mode goes with paging (10.8.5). */
static void switch_long_mode(bool on)
{
    uint64_t efer = vmread(GUEST_EFER), entry = vmread(ENTRY_CONTROLS);
    vmwrite(GUEST_EFER, on ? efer | EFER_LMA : efer & ~(uint64_t)EFER_LMA);
    vmwrite(ENTRY_CONTROLS, on ? entry | ENTRY_GUEST_64 : entry & ~(uint64_t)ENTRY_GUEST_64);
}

/* CR0 becomes value, of which PG, CD or NW changes: what paging needs. False: #GP. */
static __attribute__((noinline)) bool switch_paging(struct vcpu *vcpu, uint64_t value, uint64_t changed)
{
    bool on = value & CR0_PG, long_mode = on && vmread(GUEST_EFER) & EFER_LME;
    if (changed & CR0_PG && !paging_allowed(vcpu, on))
        return false;
    if (on && vmread(GUEST_CR4) & CR4_PAE && !long_mode && !vmx_load_pdptes(vcpu))
        return false;
    if (changed & CR0_PG)
        switch_long_mode(long_mode);
    return true;
}

bool vmx_write_cr0(struct vcpu *vcpu, uint64_t value)
{
    struct vmx *vmx = vmx_of(vcpu);
    if (value >> 32 || (value & CR0_PG && !(value & CR0_PE)) || (value & CR0_NW && !(value & CR0_CD)) ||
        (!(value & CR0_WP) && vmread(GUEST_CR4) & CR4_CET))
        return false;
    value = (value & CR0_DEFINED) | CR0_ET;
    uint64_t changed = value ^ ((vmread(GUEST_CR0) & ~(uint64_t)VMX_CR0_OURS) | vmx->cr0_shadow);
    if (changed & (CR0_PG | CR0_CD | CR0_NW) && !switch_paging(vcpu, value, changed))
        return false;
    if (changed & (CR0_PG | CR0_WP | CR0_PE))
        vcpu->flush = true;
    vmwrite(GUEST_CR0, (value & ~(uint64_t)(CR0_NW | CR0_CD)) | CR0_NE);
    vmwrite(CR0_SHADOW, vmx->cr0_shadow = value & VMX_CR0_OURS);
    return true;
}

/* MOV to CR0; or to CR4, that sets VMXE. LMSW and CLTS reach no bit of the masks. */
void vmx_cr_exit(struct vcpu *vcpu, const struct exit *exit)
{
    unsigned cr = exit->info1 & 0xF, how = exit->info1 >> ACCESS_SHIFT & 3;
    uint64_t value = vcpu->gpr[exit->info1 >> REGISTER_SHIFT & 0xF];
    if (!(vmread(GUEST_CS_RIGHTS) >> RIGHTS_HIGH_SHIFT & SEGMENT_LONG))
        value = (uint32_t)value;
    if (cr == 0 && how == MOV_TO_CR && vmx_write_cr0(vcpu, value))
        vcpu_skip(vcpu, exit);
    else
        vcpu_inject_gp(vcpu);
}

void vmx_xsetbv_exit(struct vcpu *vcpu, const struct exit *exit)
{
    uint64_t value = (uint32_t)vcpu->gpr[REG_RAX] | vcpu->gpr[REG_RDX] << 32;
    /* XCR0 is the guest's own; the CPU itself judges the value. The CPL is judged before the
     * exit (26.1.1), but not by Bochs. */
    if (!vcpu_get(vcpu, REG_CPL) && xsetbv_safe((uint32_t)vcpu->gpr[REG_RCX], value))
        vcpu_skip(vcpu, exit);
    else
        vcpu_inject_gp(vcpu);
}
