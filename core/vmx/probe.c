/*
 * Is this CPU's VMX enough? Each capability MSR allows bits of a control field: its low half names those that
 * must be 1, its high half those that may be (SDM vol. 3, appendix A). Whatever is missing is named by one
 * line, before any guest runs.
 */
#include "core/vmx/vmx.h"
#include "core/x86/asm.h"

enum { VMX_MISC_TIMER_SHIFT = 0x1F };
enum { CPUID_VMX = 1 << 5, FEATURE_LOCKED = 1 << 0, FEATURE_VMX = 1 << 2 };
#define BASIC_TRUE_CONTROLS (1ull << 55)
#define BASIC_REVISION      0x7FFFFFFFu

struct vmx_controls vmx_controls;

bool vmx_present(void)
{
    return cpuid(0, 0).eax >= 1 && cpuid(1, 0).ecx & CPUID_VMX;
}

struct need {
    uint32_t bit;
    const char *line;
};

static const struct need pin[] = {
    {PIN_NMI_EXITING, "this CPU's VMX has no NMI exiting (pin-based control bit 3): use another CPU"},
    {PIN_VIRTUAL_NMIS, "this CPU's VMX has no virtual NMIs (pin-based control bit 5): use another CPU"},
    {0, NULL}};
static const struct need primary[] = {
    {PRIMARY_TSC_OFFSETTING, "this CPU's VMX has no TSC offsetting (primary control bit 3): use another CPU"},
    {PRIMARY_HLT_EXITING, "this CPU's VMX has no HLT exiting (primary control bit 7): use another CPU"},
    {PRIMARY_INTERRUPT_WINDOW,
     "this CPU's VMX has no interrupt-window exiting (primary control bit 2): use another CPU"},
    {PRIMARY_NMI_WINDOW,
     "this CPU's VMX has no NMI-window exiting (primary control bit 22): use another CPU"},
    {PRIMARY_IO_BITMAPS, "this CPU's VMX has no I/O bitmaps (primary control bit 25): use another CPU"},
    {PRIMARY_MSR_BITMAPS, "this CPU's VMX has no MSR bitmaps (primary control bit 28): use another CPU"},
    {PRIMARY_SECONDARY, "this CPU's VMX has no secondary controls (primary control bit 31): use another CPU"},
    {0, NULL}};
static const struct need secondary[] = {
    {SECONDARY_EPT, "this CPU has VMX but no EPT (secondary control bit 1): use a Core i or later"},
    {SECONDARY_VPID, "this CPU has VMX but no VPID (secondary control bit 5): use a Core i or later"},
    {SECONDARY_UNRESTRICTED,
     "this CPU has VMX but no unrestricted guest (secondary control bit 7): use a Westmere or later"},
    {0, NULL}};
static const struct need leave[] = {
    {EXIT_SAVE_DEBUG, "this CPU's VMX does not save debug controls (exit control bit 2): use another CPU"},
    {EXIT_HOST_64, "this CPU's VMX has no 64-bit host (exit control bit 9): use another CPU"},
    {EXIT_SAVE_PAT | EXIT_LOAD_PAT,
     "this CPU's VMX does not switch IA32_PAT (exit control bits 18, 19): use another CPU"},
    {EXIT_SAVE_EFER | EXIT_LOAD_EFER,
     "this CPU's VMX does not switch IA32_EFER (exit control bits 20, 21): use another CPU"},
    {0, NULL}};
static const struct need enter[] = {
    {ENTRY_LOAD_DEBUG, "this CPU's VMX does not load debug controls (entry control bit 2): use another CPU"},
    {ENTRY_GUEST_64, "this CPU's VMX has no 64-bit guest (entry control bit 9): use another CPU"},
    {ENTRY_LOAD_PAT, "this CPU's VMX does not load IA32_PAT (entry control bit 14): use another CPU"},
    {ENTRY_LOAD_EFER, "this CPU's VMX does not load IA32_EFER (entry control bit 15): use another CPU"},
    {0, NULL}};
/* Those that are 1 only at times, and what is said of a CPU that insists on 1. */
static const struct need pin_free[] = {
    {PIN_TIMER, "this CPU's VMX insists on its timer (pin-based control bit 6): use another CPU"}, {0, NULL}};
static const struct need primary_free[] = {
    {PRIMARY_HLT_EXITING, "this CPU's VMX insists on HLT exiting (primary control bit 7): use another CPU"},
    {PRIMARY_INTERRUPT_WINDOW,
     "this CPU's VMX insists on interrupt-window exiting (primary control bit 2): use another CPU"},
    {PRIMARY_NMI_WINDOW,
     "this CPU's VMX insists on NMI-window exiting (primary control bit 22): use another CPU"},
    {0, NULL}};
static const struct need enter_free[] = {
    {ENTRY_GUEST_64, "this CPU's VMX insists on a 64-bit guest (entry control bit 9): use another CPU"},
    {0, NULL}};

/* The control field with the needed bits, those of `wanted` that the CPU has, and those that it insists on.
 */
static const char *choose(uint32_t msr, const struct need *needs, uint32_t wanted, uint32_t *controls)
{
    uint64_t capability = rdmsr(msr);
    uint32_t must = (uint32_t)capability, may = (uint32_t)(capability >> 32);
    *controls = must | (wanted & may);
    for (; needs->bit; needs++) {
        if ((may & needs->bit) != needs->bit)
            return needs->line;
        *controls |= needs->bit;
    }
    return NULL;
}

/* The control field without the bits that are 1 only at times. */
static const char *release(uint32_t msr, const struct need *bits, uint32_t *controls)
{
    uint32_t must = (uint32_t)rdmsr(msr);
    for (; bits->bit; bits++) {
        if (must & bits->bit)
            return bits->line;
        *controls &= ~bits->bit;
    }
    return NULL;
}

static const char *check_ept(uint64_t cap)
{
    if (!(cap & EPT_CAP_WALK_4) || !(cap & EPT_CAP_WB))
        return "this CPU's EPT has no 4-level walk or no write-back tables (IA32_VMX_EPT_VPID_CAP bits 6, "
               "14): use another CPU";
    if (!(cap & EPT_CAP_INVEPT) || !(cap & EPT_CAP_INVEPT_ALL) || !(cap & EPT_CAP_INVVPID) ||
        !(cap & EPT_CAP_INVVPID_ALL))
        return "this CPU cannot flush all of its EPT translations (IA32_VMX_EPT_VPID_CAP bits 20, 26, 32, "
               "42): use another CPU";
    return NULL;
}

/* VMXON is #GP unless the MSR is locked with VMX allowed (24.7). Firmware may leave it open: locked here, it
 * stays so until the next reset. */
const char *vmx_unlock(void)
{
    uint64_t feature = rdmsr(MSR_FEATURE_CONTROL);
    if (!(feature & FEATURE_LOCKED))
        wrmsr(MSR_FEATURE_CONTROL, feature | FEATURE_LOCKED | FEATURE_VMX);
    else if (!(feature & FEATURE_VMX))
        return "VMX is locked off by the firmware (IA32_FEATURE_CONTROL bit 2): turn VMX (VT-x) on in its "
               "setup";
    return NULL;
}

const char *vmx_probe(void)
{
    struct vmx_controls *c = &vmx_controls;
    uint64_t basic = rdmsr(MSR_VMX_BASIC);
    if (!(basic & BASIC_TRUE_CONTROLS))
        return "this CPU's VMX has no true controls (IA32_VMX_BASIC bit 55): use a Core i or later";
    c->revision = basic & BASIC_REVISION;
    const char *why = choose(MSR_VMX_TRUE_PIN, pin, PIN_TIMER, &c->pin);
    if (!why)
        why = choose(MSR_VMX_TRUE_PRIMARY, primary, 0, &c->primary);
    if (!why)
        why = choose(MSR_VMX_SECONDARY, secondary,
                     SECONDARY_RDTSCP | SECONDARY_INVPCID | SECONDARY_XSAVES | SECONDARY_USER_WAIT,
                     &c->secondary);
    if (!why)
        why = choose(MSR_VMX_TRUE_EXIT, leave, 0, &c->exit);
    if (!why)
        why = choose(MSR_VMX_TRUE_ENTRY, enter, 0, &c->entry);
    c->timer = c->pin & PIN_TIMER;
    if (!why)
        why = release(MSR_VMX_TRUE_PIN, pin_free, &c->pin);
    if (!why)
        why = release(MSR_VMX_TRUE_PRIMARY, primary_free, &c->primary);
    if (!why)
        why = release(MSR_VMX_TRUE_ENTRY, enter_free, &c->entry);
    if (why)
        return why;
    c->timer_shift = rdmsr(MSR_VMX_MISC) & VMX_MISC_TIMER_SHIFT;
    c->ept_vpid = rdmsr(MSR_VMX_EPT_VPID_CAP);
    mtrr_read();
    return check_ept(c->ept_vpid);
}
