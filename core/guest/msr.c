/*
 * MSR policy. An MSR in the permission map's three ranges that is not listed here goes to the hardware
 * without an exit. One outside of them does not exist for the guest: AMD defines none there, and what a
 * hypervisor below us defines would reach past our nested tables.
 */
#include "core/guest/policy.h"
#include "core/limit.h"
#include "core/x86/asm.h"
#include "core/x86/trap.h"

enum { FEATURE_LOCKED = 1, MISC_NO_BTS = 1 << 11, MISC_NO_PEBS = 1 << 12 };
#define MISC_NO_XD (1ull << 34)
enum { XSS_PT = 1 << 8, XSS_LBR = 1 << 15 }; /* state components, SDM vol. 1, 13.1 */
/* How writes of the trapped ones end. */
enum treatment { REFUSE, IGNORE, OWN };
#define ONE(number) number, number

static const struct {
    struct trapped_msr msr;
    enum treatment write;
} table[] = {
    {{ONE(MSR_TSC_DEADLINE), true, true}, OWN}, /* in the guest's time; and by far the most often written */
    {{ONE(MSR_TSC), false, true}, OWN},         /* moves the guest's clock, not the log's */
    {{ONE(MSR_FEATURE_CONTROL), true, true}, REFUSE}, /* reads as locked, with all off */
    {{ONE(MSR_TSC_ADJUST), true, true}, OWN},
    /* The local APIC stays where and how it is: guest/lapic.c depends on it. */
    {{ONE(MSR_APIC_BASE), false, true}, OWN},
    {{ONE(MSR_EFER), true, true}, OWN}, /* SVME is ours */
    {{ONE(MSR_KVM_WALL_CLOCK), true, true}, REFUSE},
    {{ONE(MSR_KVM_SYSTEM_TIME), true, true}, REFUSE},
    {{MSR_VMX_BASIC, MSR_VMX_LAST, true, true}, REFUSE},
    /* Through these the CPU writes memory past EPT. Those of processor trace and of hardware feedback are
     * physical addresses (SDM vol. 3, chapter 33 and 15.6). PEBS and BTS write to linear ones (18.4.9), by
     * whatever tables are loaded: PEBS by ours, too, when its counter overflows here. BTS stops at an exit,
     * which clears DEBUGCTL (28.5.1). */
    {{MSR_PEBS_ENABLE, MSR_PEBS_INDEX, true, true}, REFUSE},
    {{MSR_RTIT_FIRST, MSR_RTIT_LAST, true, true}, REFUSE},
    {{ONE(MSR_DS_AREA), true, true}, REFUSE},
    {{MSR_HW_FEEDBACK_PTR, MSR_HW_FEEDBACK_CONFIG, true, true}, REFUSE},
    {{ONE(MSR_MISC_ENABLE), true, true}, OWN}, /* tells of PEBS and BTS; and could take NX from our tables */
    /* These record a PAL's branches, whatever DEBUGCTL says. */
    {{MSR_LBR_CTL, MSR_LBR_DEPTH, true, true}, REFUSE},
    {{ONE(MSR_DEBUG_EXTENSION), true, true}, REFUSE},
    {{ONE(MSR_XSS), false, true}, OWN}, /* XRSTORS writes MSRs and does not ask the MSR map */
    {{ONE(MSR_VM_CR), true, true}, REFUSE},
    {{ONE(MSR_VM_HSAVE_PA), true, true}, REFUSE},
    {{ONE(MSR_SVM_KEY), true, true}, REFUSE},
    {{ONE(MSR_BIOS_UPDATE), false, true}, IGNORE}, /* microcode */
    {{ONE(MSR_PATCH_LOADER), false, true}, IGNORE},
    /* What says where DRAM, MMIO and SMRAM are: a change could put the hypervisor's memory elsewhere. */
    {{ONE(MSR_SYSCFG), false, true}, IGNORE},
    {{MSR_IORR_BASE0, MSR_IORR_MASK1, false, true}, IGNORE},
    {{ONE(MSR_TOP_MEM), false, true}, IGNORE},
    {{ONE(MSR_TOP_MEM2), false, true}, IGNORE},
    {{ONE(MSR_MMIO_CFG_BASE), false, true}, IGNORE},
    {{MSR_SMM_BASE, MSR_SMM_MASK, false, true}, IGNORE},
};

const struct trapped_msr *policy_msr(unsigned i)
{
    return i < sizeof table / sizeof *table ? &table[i].msr : NULL;
}

static void refuse(struct vcpu *vcpu, const char *what)
{
    log_debug("%s 0x%x: #GP", what, (uint32_t)vcpu->gpr[REG_RCX]);
    vcpu_inject_gp(vcpu);
}

/* The TSC-deadline timer (SDM vol. 3, 11.5.4.1) compares with our clock; 0 is a timer that is not armed. */
static bool read_deadline(const struct vcpu *vcpu, uint64_t *value)
{
    if (!msr_read_safe(MSR_TSC_DEADLINE, value))
        return false;
    *value += *value ? vcpu->tsc_offset : 0;
    return true;
}

static bool write_deadline(const struct vcpu *vcpu, uint64_t value)
{
    uint64_t ours = value - vcpu->tsc_offset;
    return msr_write_safe(MSR_TSC_DEADLINE, !value ? 0 : ours ? ours : 1);
}

/* What the timer is armed for stays the same in the guest's time. */
static void move_clock(struct vcpu *vcpu, uint64_t offset)
{
    uint64_t deadline;
    bool armed = read_deadline(vcpu, &deadline) && deadline;
    vcpu->tsc_offset = offset;
    if (armed)
        write_deadline(vcpu, deadline);
}

static bool read_own(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    switch (msr) {
    case MSR_EFER:
        *value = vcpu_get(vcpu, REG_EFER);
        return true;
    case MSR_TSC_ADJUST:
        *value = vcpu->tsc_adjust;
        return true;
    case MSR_TSC_DEADLINE:
        return read_deadline(vcpu, value);
    case MSR_FEATURE_CONTROL:
        return msr_read_safe(msr, value) && (*value = FEATURE_LOCKED);
    case MSR_MISC_ENABLE:
        return msr_read_safe(msr, value) && (*value |= MISC_NO_BTS | MISC_NO_PEBS);
    default:
        return false;
    }
}

void policy_msr_read(struct vcpu *vcpu, const struct exit *exit)
{
    uint64_t value;
    if (!read_own(vcpu, (uint32_t)vcpu->gpr[REG_RCX], &value)) {
        refuse(vcpu, "rdmsr");
        return;
    }
    vcpu_skip(vcpu, exit);
    vcpu->gpr[REG_RAX] = (uint32_t)value;
    vcpu->gpr[REG_RDX] = value >> 32;
}

/* The bits of EFER that this CPU has and the guest may use (APM vol. 2, 3.1.7). VMRUN refuses others. */
static uint64_t efer_allowed(void)
{
    struct cpuid f = cpuid(0x80000001, 0), more = {0};
    if (cpuid(0x80000000, 0).eax >= 0x80000021)
        more = cpuid(0x80000021, 0);
    return EFER_LMA | (f.edx & 1u << 11 ? EFER_SCE : 0) | (f.edx & 1u << 20 ? EFER_NXE : 0) |
           (f.edx & 1u << 25 ? EFER_FFXSR : 0) | (f.edx & 1u << 29 ? EFER_LME : 0) |
           (f.ecx & 1u << 17 ? EFER_TCE : 0) | (more.eax & 1u << 7 ? EFER_UAIE : 0) |
           (more.eax & 1u << 8 ? EFER_AIBRSE : 0);
}

static bool write_efer(struct vcpu *vcpu, uint64_t value)
{
    uint64_t old = vcpu_get(vcpu, REG_EFER);
    if (value & ~efer_allowed() || ((value ^ old) & EFER_LME && vcpu_get(vcpu, REG_CR0) & CR0_PG))
        return false;
    vcpu_set(vcpu, REG_EFER,
             (value & ~(uint64_t)EFER_LMA) | (old & EFER_LMA)); /* LMA follows LME and PG, by the CPU */
    vcpu->flush = true; /* NXE changes what cached translations mean */
    return true;
}

static bool write_own(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    switch (msr) {
    case MSR_TSC_DEADLINE:
        return write_deadline(vcpu, value);
    case MSR_EFER:
        return write_efer(vcpu, value);
    case MSR_TSC: { /* either changes both (SDM vol. 3, 18.17.3) */
        uint64_t offset = value - rdtsc();
        vcpu->tsc_adjust += offset - vcpu->tsc_offset;
        move_clock(vcpu, offset);
        return true;
    }
    case MSR_TSC_ADJUST:
        move_clock(vcpu, vcpu->tsc_offset + value - vcpu->tsc_adjust);
        vcpu->tsc_adjust = value;
        return true;
    case MSR_MISC_ENABLE: { /* the two that read as 1 cannot be written (SDM vol. 4, table 2-2) */
        uint64_t own = MISC_NO_BTS | MISC_NO_PEBS, old;
        return msr_read_safe(msr, &old) && msr_write_safe(msr, (value & ~(own | MISC_NO_XD)) | (old & own));
    }
    case MSR_XSS:
        return !(value & (XSS_PT | XSS_LBR)) && msr_write_safe(MSR_XSS, value);
    default: /* MSR_APIC_BASE */
        if (value != rdmsr(MSR_APIC_BASE))
            guest_warn("guest tries to move or switch its local APIC: IA32_APIC_BASE = 0x%lx, refused",
                       value);
        return value == rdmsr(MSR_APIC_BASE);
    }
}

static enum treatment treatment_of(uint32_t msr)
{
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++)
        if (msr >= table[i].msr.first && msr <= table[i].msr.last)
            return table[i].write;
    return REFUSE;
}

void policy_msr_write(struct vcpu *vcpu, const struct exit *exit)
{
    uint32_t msr = (uint32_t)vcpu->gpr[REG_RCX];
    uint64_t value = (uint32_t)vcpu->gpr[REG_RAX] | vcpu->gpr[REG_RDX] << 32;
    enum treatment treatment = treatment_of(msr);
    if (treatment == REFUSE || (treatment == OWN && !write_own(vcpu, msr, value))) {
        refuse(vcpu, "wrmsr");
        return;
    }
    if (treatment == IGNORE)
        guest_warn("guest write of MSR 0x%x ignored", msr);
    vcpu_skip(vcpu, exit);
}
