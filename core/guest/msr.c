/* MSR policy. What is not listed goes to the hardware without an exit; what is outside the permission map's ranges exits and is tried here. */
#include "core/guest/policy.h"
#include "core/x86/apic.h"
#include "core/x86/asm.h"
#include "core/x86/trap.h"

static const struct trapped_msr msrs[] = {
    {MSR_APIC_BASE, false, true},   /* the local APIC stays where and how it is: guest/lapic.c depends on it */
    {MSR_BIOS_UPDATE, false, true}, /* microcode: ignored */
    {MSR_PATCH_LOADER, false, true},
    {MSR_EFER, true, true}, /* SVME is ours */
    {MSR_VM_CR, true, true},
    {MSR_VM_HSAVE_PA, true, true},
};

const struct trapped_msr *policy_msr(unsigned i) { return i < sizeof msrs / sizeof *msrs ? &msrs[i] : NULL; }

void policy_msr_read(struct vcpu *vcpu, const struct exit *exit)
{
    uint32_t msr = (uint32_t)vcpu->gpr[REG_RCX];
    uint64_t value;
    if (msr == MSR_EFER) {
        value = vcpu_get(vcpu, REG_EFER);
    } else if (msr == MSR_VM_CR || msr == MSR_VM_HSAVE_PA || !msr_read_safe(msr, &value)) {
        log_debug("rdmsr 0x%x: #GP", msr);
        vcpu_inject_gp(vcpu);
        return;
    }
    if (vcpu_skip(vcpu, exit))
        return;
    vcpu->gpr[REG_RAX] = (uint32_t)value;
    vcpu->gpr[REG_RDX] = value >> 32;
}

/* The bits of EFER that this CPU has and the guest may use (APM vol. 2, 3.1.7). VMRUN refuses others. */
static uint64_t efer_allowed(void)
{
    struct cpuid f = cpuid(0x80000001, 0);
    return EFER_LMA | (f.edx & 1u << 11 ? EFER_SCE : 0) | (f.edx & 1u << 20 ? EFER_NXE : 0) | (f.edx & 1u << 25 ? EFER_FFXSR : 0) |
           (f.edx & 1u << 29 ? EFER_LME : 0) | (f.ecx & 1u << 17 ? EFER_TCE : 0);
}

static bool write_efer(struct vcpu *vcpu, uint64_t value)
{
    uint64_t old = vcpu_get(vcpu, REG_EFER);
    if (value & ~efer_allowed() || ((value ^ old) & EFER_LME && vcpu_get(vcpu, REG_CR0) & CR0_PG))
        return false;
    vcpu_set(vcpu, REG_EFER, (value & ~(uint64_t)EFER_LMA) | (old & EFER_LMA)); /* LMA follows LME and PG, by the CPU */
    vcpu->flush = true; /* NXE changes what cached translations mean */
    return true;
}

static bool write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    switch (msr) {
    case MSR_EFER:
        return write_efer(vcpu, value);
    case MSR_APIC_BASE:
        if (value != rdmsr(MSR_APIC_BASE))
            log_warn("guest tries to move or switch its local APIC: IA32_APIC_BASE = 0x%lx, refused", value);
        return value == rdmsr(MSR_APIC_BASE);
    case MSR_BIOS_UPDATE:
    case MSR_PATCH_LOADER:
        log_info("microcode update by the guest ignored");
        return true;
    case MSR_VM_CR:
    case MSR_VM_HSAVE_PA:
        return false;
    default:
        return msr_write_safe(msr, value);
    }
}

void policy_msr_write(struct vcpu *vcpu, const struct exit *exit)
{
    uint32_t msr = (uint32_t)vcpu->gpr[REG_RCX];
    uint64_t value = (uint32_t)vcpu->gpr[REG_RAX] | vcpu->gpr[REG_RDX] << 32;
    if (write(vcpu, msr, value)) {
        vcpu_skip(vcpu, exit);
    } else {
        log_debug("wrmsr 0x%x = 0x%lx: #GP", msr, value);
        vcpu_inject_gp(vcpu);
    }
}
