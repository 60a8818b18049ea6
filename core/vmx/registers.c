/* The guest's registers and segments that struct vcpu does not hold: VMCS fields, and four registers that VMX
 * does not switch. */
#include "core/cpu.h"
#include "core/vmx/vmx.h"
#include "core/x86/asm.h"

/* The fields of other CPUs cannot be reached from here. Only shutdown_reset asks for one's, to take back what
 * it runs, right before the machine's reset ends it. */
static bool is_foreign(const struct vcpu *vcpu)
{
    return vcpu->cpu != this_cpu();
}

/* Inline, as the next: where the register is known, nothing is left of it but one VMREAD. */
static inline uint64_t read_one(struct vcpu *vcpu, enum reg reg)
{
    switch (reg) {
    case REG_CR0:
        return (vmread(GUEST_CR0) & ~(uint64_t)VMX_CR0_OURS) | vmx_of(vcpu)->cr0_shadow;
    case REG_CR2:
        return read_cr2();
    case REG_CR3:
        return vmread(GUEST_CR3);
    case REG_CR4:
        return vmread(GUEST_CR4) & ~(uint64_t)CR4_VMXE;
    case REG_EFER:
        return vmread(GUEST_EFER);
    case REG_DR6:
        return read_dr6();
    case REG_DR7:
        return vmread(GUEST_DR7);
    case REG_DEBUGCTL:
        return vmread(GUEST_DEBUGCTL);
    case REG_SYSENTER_CS:
        return vmread(GUEST_SYSENTER_CS);
    case REG_CPL: /* SS.DPL */
        return vmread(GUEST_SS_RIGHTS) >> 5 & 3;
    default:
        return 0;
    }
}

static inline void write_one(struct vcpu *vcpu, enum reg reg, uint64_t value)
{
    switch (reg) {
    case REG_CR0:
        vmx_write_cr0(vcpu, value);
        break;
    case REG_CR2:
        write_cr2(value);
        break;
    case REG_CR3: /* PAE's four entries are part of the VMCS (27.3.2.4) */
        vmwrite(GUEST_CR3, value);
        vmx_of(vcpu)->pdptes_stale =
            vmread(GUEST_CR0) & CR0_PG && vmread(GUEST_CR4) & CR4_PAE && !(vmread(GUEST_EFER) & EFER_LMA);
        break;
    case REG_CR4:
        vmwrite(GUEST_CR4, value | CR4_VMXE);
        break;
    case REG_EFER:
        vmwrite(GUEST_EFER, value);
        break;
    case REG_DR6:
        write_dr6(value);
        break;
    case REG_DR7: /* what the old breakpoints and steps left pending is not the new ones' */
        vmwrite(GUEST_DR7, value);
        vmwrite(PENDING_DEBUG, 0);
        break;
    case REG_DEBUGCTL:
        vmwrite(GUEST_DEBUGCTL, value);
        break;
    case REG_SYSENTER_CS:
        vmwrite(GUEST_SYSENTER_CS, value);
        break;
    default:
        break;
    }
}

uint64_t vmx_read(struct vcpu *vcpu, enum reg reg)
{
    return is_foreign(vcpu) ? 0 : read_one(vcpu, reg);
}

void vmx_write(struct vcpu *vcpu, enum reg reg, uint64_t value)
{
    if (!is_foreign(vcpu))
        write_one(vcpu, reg, value);
}

void vmx_read_system(struct vcpu *vcpu, uint64_t regs[REG_CPL])
{
    bool foreign = is_foreign(vcpu);
#pragma GCC unroll 16
    for (enum reg reg = REG_CR0; reg <= REG_SYSENTER_CS; reg++)
        regs[reg] = foreign ? 0 : read_one(vcpu, reg);
}

void vmx_write_system(struct vcpu *vcpu, const uint64_t regs[REG_CPL])
{
    if (is_foreign(vcpu))
        return;
#pragma GCC unroll 16
    for (enum reg reg = REG_CR0; reg <= REG_SYSENTER_CS; reg++)
        write_one(vcpu, reg, regs[reg]);
}

void vmx_segment(struct vcpu *vcpu, enum segment_name name, struct segment *out)
{
    if (is_foreign(vcpu)) {
        *out = (struct segment){0};
        return;
    }
    uint32_t rights = (uint32_t)vmread(GUEST_ES_RIGHTS + 2 * name);
    *out = (struct segment){
        .selector = (uint16_t)vmread(GUEST_ES_SELECTOR + 2 * name),
        .attributes = (uint16_t)((rights & RIGHTS_LOW) | (rights >> RIGHTS_HIGH_SHIFT & RIGHTS_HIGH)),
        .limit = (uint32_t)vmread(GUEST_ES_LIMIT + 2 * name),
        .base = vmread(GUEST_ES_BASE + 2 * name)};
    if (rights & RIGHTS_UNUSABLE)
        out->attributes &= (uint16_t)~SEGMENT_PRESENT;
}

void vmx_clear_shadow(struct vcpu *vcpu)
{
    if (is_foreign(vcpu))
        return;
    uint64_t blocked = vmread(INTERRUPTIBILITY);
    if (blocked & (BLOCKED_STI | BLOCKED_MOV_SS))
        vmwrite(INTERRUPTIBILITY, blocked & ~(uint64_t)(BLOCKED_STI | BLOCKED_MOV_SS));
}
