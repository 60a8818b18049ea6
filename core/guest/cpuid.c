/* CPUID as the guest sees it: the CPU's own answers, without virtualisation, without x2APIC, and without what
 * records the guest past it (guest/msr.c). */
#include "core/guest/policy.h"
#include "core/x86/asm.h"

enum {
    LEAF1_X2APIC = 1 << 21,
    LEAF1_OSXSAVE = 1 << 27,
    LEAF1_VMX = 1 << 5,
    LEAF1_DTES64 = 1 << 2,
    LEAF1_DS_CPL = 1 << 4,
    LEAF1_EDX_DS = 1 << 21,
    LEAF6_FEEDBACK = 1 << 19,
    LEAF6_THREAD_DIRECTOR = 1 << 23,
    LEAF7_OSPKE = 1 << 4,
    LEAF7_LA57 = 1 << 16,
    LEAF7_EBX_PT = 1 << 25,
    LEAF7_EDX_LBR = 1 << 19,
    STATE_PT = 8, /* state components, by their numbers */
    STATE_LBR = 15,
    LEAF23_PEBS = 3 << 4, /* subleaves 4 and 5 */
    EXT1_SVM = 1 << 2,
    EXT1_SKINIT = 1 << 12,
    EXT8_INVLPGB = 1 << 3,
    EXT22_LBR_STACK = 1 << 1
};
enum { PT = 0x14, LBR = 0x1C, PERFMON = 0x23 };
/* Basic leaves that hide() may change. */
#define CHANGED (1ull << 1 | 1ull << 6 | 1ull << 7 | 1ull << 0xD | 1ull << PT | 1ull << LBR | 1ull << PERFMON)

static void hide(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf, struct cpuid *r)
{
    if (leaf >= 0x40000000 &&
        leaf <= 0x4FFFFFFF) /* a hypervisor below us: what it offers would reach past us */
        *r = (struct cpuid){0};
    switch (leaf) {
    case 1:
        r->ecx &= ~(uint32_t)(LEAF1_X2APIC | LEAF1_VMX | LEAF1_OSXSAVE | LEAF1_DTES64 | LEAF1_DS_CPL);
        r->edx &= ~(uint32_t)LEAF1_EDX_DS;
        r->ecx |=
            vcpu_get(vcpu, REG_CR4) & CR4_OSXSAVE ? LEAF1_OSXSAVE : 0; /* mirrors the guest's CR4, not ours */
        break;
    case 6:
        r->eax &= ~(uint32_t)(LEAF6_FEEDBACK | LEAF6_THREAD_DIRECTOR);
        break;
    case 7:
        if (subleaf == 0) {
            r->ebx &= ~(uint32_t)LEAF7_EBX_PT;
            r->edx &= ~(uint32_t)LEAF7_EDX_LBR;
            r->ecx &= ~(uint32_t)(LEAF7_OSPKE | LEAF7_LA57); /* guest/walk.c knows four levels */
            r->ecx |= vcpu_get(vcpu, REG_CR4) & CR4_PKE ? LEAF7_OSPKE : 0;
        }
        break;
    case 0xD:
        if (subleaf == 1)
            r->ecx &= ~(1u << STATE_PT | 1u << STATE_LBR);
        else if (subleaf == STATE_PT || subleaf == STATE_LBR)
            *r = (struct cpuid){0};
        break;
    case PERFMON:
        if (subleaf == 0)
            r->eax &= ~(uint32_t)LEAF23_PEBS;
        break;
    case 0x80000001:
        r->ecx &= ~(uint32_t)(EXT1_SVM | EXT1_SKINIT);
        break;
    case 0x80000008:
        r->ebx &= ~(uint32_t)EXT8_INVLPGB; /* it would need a permission in the VMCB */
        break;
    case 0x80000022:
        r->eax &= ~(uint32_t)EXT22_LBR_STACK;
        break;
    case PT:
    case LBR:
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
    if (leaf >= 64 || CHANGED >> leaf & 1) {
        special(vcpu, exit);
        return;
    }
    struct cpuid r = cpuid(leaf, (uint32_t)vcpu->gpr[REG_RCX]);
    answer(vcpu, exit, &r);
}
