/*
 * VMX machines that will not do: vmx/probe.c as it ships, on a CPU made of its MSRs. A good one passes; each
 * bit that is missing, or insisted on, gives the line that names it. An MSR that the CPU does not have is #GP
 * on hardware: here it fails the test.
 */
#include "core/test/check.h"

#include <stdio.h>
#include <string.h>

/* The instructions that probe.c executes, as functions below. */
#define rdmsr       real_rdmsr
#define wrmsr       real_wrmsr
#define cpuid(a, c) real_cpuid(a, c)
#include "core/x86/asm.h"
#undef rdmsr
#undef wrmsr
#undef cpuid
static uint64_t rdmsr(uint32_t msr);
static void wrmsr(uint32_t msr, uint64_t value);
static struct cpuid cpuid(uint32_t leaf, uint32_t subleaf);
#include "core/vmx/probe.c"

struct setting {
    uint32_t msr;
    uint64_t value;
};

#define ALLOWED(bits)    ((uint64_t)(bits) << 32)
#define MSR(must, may)   (ALLOWED((must) | (may)) | (must))
#define PIN_RESERVED     0x16u /* that must be 1: A.3 to A.5 */
#define PRIMARY_RESERVED 0x04006172u
#define EXIT_RESERVED    0x00036DFBu
#define ENTRY_RESERVED   0x000011FBu
#define EPT_VPID                                                                                             \
    (EPT_CAP_WALK_4 | EPT_CAP_WB | EPT_CAP_INVEPT | EPT_CAP_INVEPT_ALL | EPT_CAP_INVVPID |                   \
     EPT_CAP_INVVPID_ALL)

/* What Braid needs and the timer, and nothing more. */
static const struct setting good[] = {
    {MSR_FEATURE_CONTROL, FEATURE_LOCKED | FEATURE_VMX},
    {MSR_VMX_BASIC, BASIC_TRUE_CONTROLS | 4},
    {MSR_VMX_MISC, 5},
    {MSR_VMX_SECONDARY, MSR(0u, SECONDARY_EPT | SECONDARY_VPID | SECONDARY_UNRESTRICTED)},
    {MSR_VMX_EPT_VPID_CAP, EPT_VPID},
    {MSR_VMX_TRUE_PIN, MSR(PIN_RESERVED, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS | PIN_TIMER)},
    {MSR_VMX_TRUE_PRIMARY,
     MSR(PRIMARY_RESERVED, PRIMARY_INTERRUPT_WINDOW | PRIMARY_TSC_OFFSETTING | PRIMARY_HLT_EXITING |
                               PRIMARY_NMI_WINDOW | PRIMARY_IO_BITMAPS | PRIMARY_MSR_BITMAPS |
                               PRIMARY_SECONDARY)},
    {MSR_VMX_TRUE_EXIT, MSR(EXIT_RESERVED, EXIT_SAVE_DEBUG | EXIT_HOST_64 | EXIT_SAVE_PAT | EXIT_LOAD_PAT |
                                               EXIT_SAVE_EFER | EXIT_LOAD_EFER)},
    {MSR_VMX_TRUE_ENTRY,
     MSR(ENTRY_RESERVED, ENTRY_LOAD_DEBUG | ENTRY_GUEST_64 | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER)},
};
enum { SETTINGS = sizeof good / sizeof *good };
static struct setting machine[SETTINGS];
static uint32_t features; /* CPUID 1 ECX */
static unsigned writes;

static uint64_t *find(uint32_t msr)
{
    for (unsigned i = 0; i < SETTINGS; i++)
        if (machine[i].msr == msr)
            return &machine[i].value;
    return NULL;
}

/* Which MSRs there are is told by others (A.1, A.2, A.3.3, A.10). */
static bool exists(uint32_t msr)
{
    if (msr >= MSR_VMX_TRUE_PIN && msr <= MSR_VMX_TRUE_ENTRY)
        return *find(MSR_VMX_BASIC) & BASIC_TRUE_CONTROLS;
    if (msr == MSR_VMX_SECONDARY)
        return *find(MSR_VMX_TRUE_PRIMARY) & ALLOWED(PRIMARY_SECONDARY);
    if (msr == MSR_VMX_EPT_VPID_CAP)
        return *find(MSR_VMX_SECONDARY) & ALLOWED(SECONDARY_EPT | SECONDARY_VPID);
    return find(msr);
}

static uint64_t rdmsr(uint32_t msr)
{
    return CHECK(exists(msr)) ? *find(msr) : 0;
}

static void wrmsr(uint32_t msr, uint64_t value)
{
    writes++;
    if (CHECK(msr == MSR_FEATURE_CONTROL && !(*find(msr) & FEATURE_LOCKED))) /* else #GP */
        *find(msr) = value;
}

static struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    (void)subleaf;
    return (struct cpuid){.eax = leaf ? 0 : 1, .ecx = leaf ? features : 0};
}

void mtrr_read(void) {}

static void reset(void)
{
    memcpy(machine, good, sizeof machine);
    vmx_controls = (struct vmx_controls){0};
    writes = 0;
}

/* A bit that the machine lacks, or has, contrary to the good one, and what the line must say. */
struct flaw {
    uint32_t msr;
    uint64_t bits;
    const char *says;
};

static const struct flaw flaws[] = {
    {MSR_VMX_BASIC, BASIC_TRUE_CONTROLS, "IA32_VMX_BASIC bit 55"},
    {MSR_VMX_TRUE_PIN, ALLOWED(PIN_NMI_EXITING), "pin-based control bit 3"},
    {MSR_VMX_TRUE_PIN, ALLOWED(PIN_VIRTUAL_NMIS), "no virtual NMIs (pin-based control bit 5"},
    {MSR_VMX_TRUE_PIN, PIN_TIMER, "insists on its timer (pin-based control bit 6"},
    {MSR_VMX_TRUE_PRIMARY, ALLOWED(PRIMARY_INTERRUPT_WINDOW), "primary control bit 2)"},
    {MSR_VMX_TRUE_PRIMARY, PRIMARY_INTERRUPT_WINDOW,
     "insists on interrupt-window exiting (primary control bit 2)"},
    {MSR_VMX_TRUE_PRIMARY, ALLOWED(PRIMARY_TSC_OFFSETTING), "primary control bit 3)"},
    {MSR_VMX_TRUE_PRIMARY, ALLOWED(PRIMARY_HLT_EXITING), "primary control bit 7)"},
    {MSR_VMX_TRUE_PRIMARY, PRIMARY_HLT_EXITING, "insists on HLT exiting (primary control bit 7)"},
    {MSR_VMX_TRUE_PRIMARY, ALLOWED(PRIMARY_NMI_WINDOW), "primary control bit 22)"},
    {MSR_VMX_TRUE_PRIMARY, PRIMARY_NMI_WINDOW, "insists on NMI-window exiting (primary control bit 22)"},
    {MSR_VMX_TRUE_PRIMARY, ALLOWED(PRIMARY_IO_BITMAPS), "primary control bit 25)"},
    {MSR_VMX_TRUE_PRIMARY, ALLOWED(PRIMARY_MSR_BITMAPS), "primary control bit 28)"},
    {MSR_VMX_TRUE_PRIMARY, ALLOWED(PRIMARY_SECONDARY), "primary control bit 31)"},
    {MSR_VMX_SECONDARY, ALLOWED(SECONDARY_EPT), "no EPT (secondary control bit 1)"},
    {MSR_VMX_SECONDARY, ALLOWED(SECONDARY_VPID), "no VPID (secondary control bit 5)"},
    {MSR_VMX_SECONDARY, ALLOWED(SECONDARY_UNRESTRICTED), "no unrestricted guest (secondary control bit 7)"},
    {MSR_VMX_TRUE_EXIT, ALLOWED(EXIT_SAVE_DEBUG), "exit control bit 2)"},
    {MSR_VMX_TRUE_EXIT, ALLOWED(EXIT_HOST_64), "exit control bit 9)"},
    {MSR_VMX_TRUE_EXIT, ALLOWED(EXIT_SAVE_PAT), "exit control bits 18, 19)"},
    {MSR_VMX_TRUE_EXIT, ALLOWED(EXIT_LOAD_PAT), "exit control bits 18, 19)"},
    {MSR_VMX_TRUE_EXIT, ALLOWED(EXIT_SAVE_EFER), "exit control bits 20, 21)"},
    {MSR_VMX_TRUE_EXIT, ALLOWED(EXIT_LOAD_EFER), "exit control bits 20, 21)"},
    {MSR_VMX_TRUE_ENTRY, ALLOWED(ENTRY_LOAD_DEBUG), "entry control bit 2)"},
    {MSR_VMX_TRUE_ENTRY, ALLOWED(ENTRY_GUEST_64), "entry control bit 9)"},
    {MSR_VMX_TRUE_ENTRY, ENTRY_GUEST_64, "insists on a 64-bit guest (entry control bit 9)"},
    {MSR_VMX_TRUE_ENTRY, ALLOWED(ENTRY_LOAD_PAT), "entry control bit 14)"},
    {MSR_VMX_TRUE_ENTRY, ALLOWED(ENTRY_LOAD_EFER), "entry control bit 15)"},
    {MSR_VMX_EPT_VPID_CAP, EPT_CAP_WALK_4, "IA32_VMX_EPT_VPID_CAP bits 6, 14)"},
    {MSR_VMX_EPT_VPID_CAP, EPT_CAP_WB, "IA32_VMX_EPT_VPID_CAP bits 6, 14)"},
    {MSR_VMX_EPT_VPID_CAP, EPT_CAP_INVEPT, "IA32_VMX_EPT_VPID_CAP bits 20, 26, 32, 42)"},
    {MSR_VMX_EPT_VPID_CAP, EPT_CAP_INVEPT_ALL, "IA32_VMX_EPT_VPID_CAP bits 20, 26, 32, 42)"},
    {MSR_VMX_EPT_VPID_CAP, EPT_CAP_INVVPID, "IA32_VMX_EPT_VPID_CAP bits 20, 26, 32, 42)"},
    {MSR_VMX_EPT_VPID_CAP, EPT_CAP_INVVPID_ALL, "IA32_VMX_EPT_VPID_CAP bits 20, 26, 32, 42)"},
};

static void test_flaws(void)
{
    for (unsigned i = 0; i < sizeof flaws / sizeof *flaws; i++) {
        reset();
        *find(flaws[i].msr) ^= flaws[i].bits;
        const char *why = vmx_probe();
        if (!CHECK(why && strstr(why, flaws[i].says)))
            printf("  \"%s\" wanted, got \"%s\"\n", flaws[i].says, why ? why : "");
    }
}

static void test_good(void)
{
    const struct vmx_controls *c = &vmx_controls;
    reset();
    CHECK(!vmx_probe() && c->revision == 4 && c->timer && c->timer_shift == 5 && c->ept_vpid == EPT_VPID);
    CHECK(c->pin == (PIN_RESERVED | PIN_NMI_EXITING | PIN_VIRTUAL_NMIS));
    CHECK(c->primary == (PRIMARY_RESERVED | PRIMARY_TSC_OFFSETTING | PRIMARY_IO_BITMAPS |
                         PRIMARY_MSR_BITMAPS | PRIMARY_SECONDARY));
    CHECK(c->secondary == (SECONDARY_EPT | SECONDARY_VPID | SECONDARY_UNRESTRICTED));
    CHECK(c->exit == *find(MSR_VMX_TRUE_EXIT) >> 32);
    CHECK(c->entry == (ENTRY_RESERVED | ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER));
    reset();
    *find(MSR_VMX_TRUE_PIN) ^= ALLOWED(PIN_TIMER); /* the limit does without */
    *find(MSR_VMX_SECONDARY) ^= ALLOWED(SECONDARY_RDTSCP | SECONDARY_XSAVES | 1u << 31);
    CHECK(!vmx_probe() && !c->timer && !(c->pin & PIN_TIMER));
    CHECK(c->secondary ==
          (SECONDARY_EPT | SECONDARY_VPID | SECONDARY_UNRESTRICTED | SECONDARY_RDTSCP | SECONDARY_XSAVES));
}

static void test_lock(void)
{
    const uint64_t others = 1 << 1 | 1 << 20; /* VMX in SMX, LMCE: kept */
    reset();
    CHECK(!vmx_unlock() && !writes);
    *find(MSR_FEATURE_CONTROL) = FEATURE_LOCKED;
    const char *why = vmx_unlock();
    CHECK(why && strstr(why, "IA32_FEATURE_CONTROL bit 2") && !writes);
    *find(MSR_FEATURE_CONTROL) = others;
    CHECK(!vmx_unlock() && *find(MSR_FEATURE_CONTROL) == (others | FEATURE_LOCKED | FEATURE_VMX));
    CHECK(!vmx_unlock() && writes == 1);
}

void test_probe(void)
{
    features = 0;
    CHECK(!vmx_present());
    features = CPUID_VMX;
    CHECK(vmx_present());
    test_good();
    test_flaws();
    test_lock();
}
