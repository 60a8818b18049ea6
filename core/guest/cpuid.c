/* CPUID as the guest sees it: the CPU's own answers, without virtualisation and without x2APIC. */
#include "core/guest/policy.h"
#include "core/x86/asm.h"

enum {
    LEAF1_X2APIC = 1 << 21,
    LEAF1_OSXSAVE = 1 << 27,
    LEAF1_VMX = 1 << 5,
    LEAF7_OSPKE = 1 << 4,
    LEAF7_LA57 = 1 << 16,
    EXT1_SVM = 1 << 2,
    EXT1_SKINIT = 1 << 12,
    EXT8_INVLPGB = 1 << 3
};

static void hide(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf, struct cpuid *r)
{
    if (leaf >= 0x40000000 &&
        leaf <= 0x4FFFFFFF) /* a hypervisor below us: what it offers would reach past us */
        *r = (struct cpuid){0};
    switch (leaf) {
    case 1:
        r->ecx &= ~(uint32_t)(LEAF1_X2APIC | LEAF1_VMX | LEAF1_OSXSAVE);
        r->ecx |=
            vcpu_get(vcpu, REG_CR4) & CR4_OSXSAVE ? LEAF1_OSXSAVE : 0; /* mirrors the guest's CR4, not ours */
        break;
    case 7:
        if (subleaf == 0) {
            r->ecx &= ~(uint32_t)(LEAF7_OSPKE | LEAF7_LA57); /* guest/walk.c knows four levels */
            r->ecx |= vcpu_get(vcpu, REG_CR4) & CR4_PKE ? LEAF7_OSPKE : 0;
        }
        break;
    case 0x80000001:
        r->ecx &= ~(uint32_t)(EXT1_SVM | EXT1_SKINIT);
        break;
    case 0x80000008:
        r->ebx &= ~(uint32_t)EXT8_INVLPGB; /* it would need a permission in the VMCB */
        break;
    case 0x8000000A: /* SVM's features */
    case 0x8000001F: /* memory encryption */
        *r = (struct cpuid){0};
        break;
    }
}

static void answer(struct vcpu *vcpu, const struct exit *exit, const struct cpuid *r)
{
    vcpu->gpr[REG_RAX] = r->eax;
    vcpu->gpr[REG_RBX] = r->ebx;
    vcpu->gpr[REG_RCX] = r->ecx;
    vcpu->gpr[REG_RDX] = r->edx;
    vcpu_skip(vcpu, exit);
}

/* A leaf that hide() may change, or the app's. */
static __attribute__((noinline)) void special(struct vcpu *vcpu, const struct exit *exit)
{
    uint32_t leaf = (uint32_t)vcpu->gpr[REG_RAX], subleaf = (uint32_t)vcpu->gpr[REG_RCX], out[4];
    struct cpuid r = cpuid(leaf, subleaf);
    hide(vcpu, leaf, subleaf, &r);
    if (leaf == hypapp.cpuid_leaf) {
        enum hypapp_result result = hypapp.cpuid(vcpu, leaf, subleaf, out);
        if (result == HYPAPP_RETRY)
            return;
        if (result == HYPAPP_DONE)
            r = (struct cpuid){out[0], out[1], out[2], out[3]};
    }
    answer(vcpu, exit, &r);
}

void policy_cpuid(struct vcpu *vcpu, const struct exit *exit)
{
    uint32_t leaf = (uint32_t)vcpu->gpr[REG_RAX];
    if (leaf == 1 || leaf == 7 || leaf >= 0x40000000) {
        special(vcpu, exit);
        return;
    }
    struct cpuid r = cpuid(leaf, (uint32_t)vcpu->gpr[REG_RCX]);
    answer(vcpu, exit, &r);
}
