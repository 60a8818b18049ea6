/*
 * Hypercalls that must be refused: each starts from a good PAL, spoils one thing, and expects a nonzero
 * result and no change: the pages stay the program's, and a good PAL can still be registered.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../programs/programs.h"
#include "check.h"

#define KERNEL_ADDRESS ((uintptr_t)-0x70000000)

/* What is spoilt. Sections are in the order CODE, DATA, STACK, PARAM. */
struct spoilt {
    const char *name;
    void (*spoil)(struct tv_pal *pal);
};

/* The page of zeroes that Linux has for all processes, as a second CODE section. */
static void add_zero_page(struct tv_pal *pal)
{
    volatile unsigned char *zero =
        mmap(NULL, TV_PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)*zero;
    pal->sections.sections[pal->sections.num_sections++] =
        (struct tv_section){TV_SECTION_CODE, 1, (uintptr_t)zero};
}

#define SPOIL(name, statement)                                                                               \
    static void name(struct tv_pal *pal)                                                                     \
    {                                                                                                        \
        statement;                                                                                           \
    }
SPOIL(no_sections, pal->sections.num_sections = 0)
SPOIL(eleven_sections, pal->sections.num_sections = 11)
SPOIL(max_sections, pal->sections.num_sections = UINT32_MAX)
SPOIL(no_params, pal->params.num_params = 0)
SPOIL(eleven_params, pal->params.num_params = 11)
SPOIL(max_params, pal->params.num_params = UINT32_MAX)
SPOIL(param_type_0, pal->params.params[0].type = 0)
SPOIL(param_type_3, pal->params.params[0].type = 3)
SPOIL(param_huge, pal->params.params[2].size = UINT64_MAX)
SPOIL(param_wraps, pal->params.params[2].size = UINT64_C(1) << 61)
SPOIL(type_0, section_of(pal, TV_SECTION_DATA)->type = 0)
SPOIL(type_6, section_of(pal, TV_SECTION_DATA)->type = 6)
SPOIL(type_7, section_of(pal, TV_SECTION_DATA)->type = 7)
SPOIL(type_8, section_of(pal, TV_SECTION_DATA)->type = 8)
SPOIL(type_max, section_of(pal, TV_SECTION_DATA)->type = UINT32_MAX)
SPOIL(no_stack, section_of(pal, TV_SECTION_STACK)->type = TV_SECTION_DATA)
SPOIL(no_param, section_of(pal, TV_SECTION_PARAM)->type = TV_SECTION_DATA)
SPOIL(no_code, section_of(pal, TV_SECTION_CODE)->type = TV_SECTION_DATA)
SPOIL(empty_code, section_of(pal, TV_SECTION_CODE)->page_num = 0)
SPOIL(empty_stack, section_of(pal, TV_SECTION_STACK)->page_num = 0)
SPOIL(huge_section, section_of(pal, TV_SECTION_PARAM)->page_num = UINT32_MAX)
SPOIL(misaligned, section_of(pal, TV_SECTION_DATA)->start_addr += 8)
SPOIL(overlap, section_of(pal, TV_SECTION_DATA)->start_addr = section_of(pal, TV_SECTION_STACK)->start_addr)
SPOIL(at_zero, section_of(pal, TV_SECTION_DATA)->start_addr = 0)
SPOIL(unmapped, section_of(pal, TV_SECTION_DATA)->start_addr = 0x10000)
SPOIL(in_kernel, section_of(pal, TV_SECTION_DATA)->start_addr = KERNEL_ADDRESS)
SPOIL(above_all, section_of(pal, TV_SECTION_DATA)->start_addr = UINT64_MAX - TV_PAGE + 1)
SPOIL(moved_high, section_of(pal, TV_SECTION_DATA)->start_addr ^= UINT64_C(1) << 46)
SPOIL(non_canonical, section_of(pal, TV_SECTION_DATA)->start_addr = UINT64_C(1) << 52)
SPOIL(entry_outside, pal->entry = (uintptr_t)strerror)
SPOIL(entry_in_data, pal->entry = (uintptr_t)page_of(pal, TV_SECTION_DATA))
SPOIL(entry_zero, pal->entry = 0)
SPOIL(entry_wild, pal->entry = KERNEL_ADDRESS)
SPOIL(read_only_data, mprotect((void *)(uintptr_t)page_of(pal, TV_SECTION_DATA), TV_PAGE, PROT_READ))
SPOIL(code_not_executable,
      mprotect((void *)(uintptr_t)page_of(pal, TV_SECTION_CODE), TV_PAGE, PROT_READ | PROT_WRITE))
SPOIL(code_not_writable,
      mprotect((void *)(uintptr_t)page_of(pal, TV_SECTION_CODE), TV_PAGE, PROT_READ | PROT_EXEC))
SPOIL(zero_page_as_code, add_zero_page(pal))

static const struct spoilt spoilt[] = {
#define SPOILT(name)                                                                                         \
    {                                                                                                        \
#name, name                                                                                          \
    }
    SPOILT(no_sections),
    SPOILT(eleven_sections),
    SPOILT(max_sections),
    SPOILT(no_params),
    SPOILT(eleven_params),
    SPOILT(max_params),
    SPOILT(param_type_0),
    SPOILT(param_type_3),
    SPOILT(param_huge),
    SPOILT(param_wraps),
    SPOILT(type_0),
    SPOILT(type_6),
    SPOILT(type_7),
    SPOILT(type_8),
    SPOILT(type_max),
    SPOILT(no_stack),
    SPOILT(no_param),
    SPOILT(no_code),
    SPOILT(empty_code),
    SPOILT(empty_stack),
    SPOILT(huge_section),
    SPOILT(misaligned),
    SPOILT(overlap),
    SPOILT(at_zero),
    SPOILT(unmapped),
    SPOILT(in_kernel),
    SPOILT(above_all),
    SPOILT(moved_high),
    SPOILT(non_canonical),
    SPOILT(entry_outside),
    SPOILT(entry_in_data),
    SPOILT(entry_zero),
    SPOILT(entry_wild),
    SPOILT(read_only_data),
    SPOILT(code_not_executable),
    SPOILT(code_not_writable),
    SPOILT(zero_page_as_code),
};

/* The refused PAL's pages are still the program's, as they were: nothing was lent, nothing zeroed. */
static bool unchanged(struct tv_pal *good)
{
    volatile unsigned char *memory = good->memory;
    int signal = CAUGHT({
        for (size_t i = 0; i < good->bytes; i += TV_PAGE)
            (void)memory[i];
    });
    EXPECT(!signal, "a page of the refused PAL is gone: %s", strsignal(signal));
    EXPECT(*page_of(good, TV_SECTION_DATA) == 0x77, "the refused PAL's data was changed");
    return true;
}

static bool spoilt_registrations(void)
{
    bool all = true;
    for (size_t i = 0; i < sizeof spoilt / sizeof spoilt[0]; i++) {
        struct tv_pal good, bad;
        if (!worker_create(&good))
            return false;
        *page_of(&good, TV_SECTION_DATA) = 0x77;
        bad = good;
        spoilt[i].spoil(&bad);
        uintptr_t result = tv_pal_register(&bad);
        bool ok = result && unchanged(&good);
        printf("    REG with %s = %#zx%s\n", spoilt[i].name, (size_t)result, ok ? "" : "  <- FAIL");
        if (result)
            tv_pal_destroy(&good);
        else
            tv_pal_unregister(&bad);
        all &= ok;
    }
    return all && machine_goes_on();
}

/* Structures where there is nothing to read, or not all of it. */
static bool wild_structures(void)
{
    static struct tv_pal pal;
    if (!worker_create(&pal))
        return false;
    unsigned char *pages =
        mmap(NULL, 2 * TV_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(pages != MAP_FAILED && !munmap(pages + TV_PAGE, TV_PAGE), "mmap: %s", strerror(errno));
    memset(pages, 0, TV_PAGE);
    uintptr_t torn = (uintptr_t)pages + TV_PAGE - 16; /* its header is there, its second element is not */
    memcpy((void *)torn, &pal.sections, 16);
    uintptr_t wild[] = {0,
                        1,
                        0x1000,
                        torn,
                        (uintptr_t)pages + TV_PAGE - 4,
                        (uintptr_t)pages + TV_PAGE,
                        KERNEL_ADDRESS,
                        UINTPTR_MAX,
                        UINTPTR_MAX - 7};
    for (size_t i = 0; i < sizeof wild / sizeof wild[0]; i++) {
        uintptr_t result = tv_call(TV_CALL_REG, wild[i], 0, (uintptr_t)&pal.params, pal.entry);
        EXPECT(result, "REG with sections at %#zx was accepted", (size_t)wild[i]);
        result = tv_call(TV_CALL_REG, (uintptr_t)&pal.sections, 0, wild[i], pal.entry);
        EXPECT(result, "REG with parameters at %#zx was accepted", (size_t)wild[i]);
        result = tv_call(TV_CALL_UNREG, wild[i], 0, 0, 0);
        EXPECT(result, "UNREG of %#zx was accepted", (size_t)wild[i]);
    }
    /* A short array at the very end of a page is legal: only what the number says is read. */
    uintptr_t last = (uintptr_t)pages + TV_PAGE - 8 - pal.params.num_params * sizeof(struct tv_param);
    memcpy((void *)last, &pal.params, TV_PAGE - last % TV_PAGE);
    EXPECT(tv_call(TV_CALL_REG, (uintptr_t)&pal.sections, 0, last, pal.entry) == 0,
           "parameters at a page's end were refused");
    EXPECT(worker_works(&pal) && tv_pal_unregister(&pal) == 0, "that PAL does not work");
    return machine_goes_on();
}

static bool unknown_numbers(void)
{
    uint32_t numbers[] = {0, 24, 254, 256, 0x7fffffff, 0x42520000, 0x42520004, UINT32_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        EXPECT(tv_call(numbers[i], 0, 0, 0, 0) != 0, "the unknown call %#x returned 0", numbers[i]);
    EXPECT(tv_call(TV_CALL_TEST, 0x1234, 0, 0, 0) == 0, "TEST failed");
    return machine_goes_on();
}

/* The micro-TPM's and NV's calls belong inside a PAL. */
static bool tpm_from_outside(void)
{
    for (uint32_t number = 3; number <= 23; number++)
        EXPECT(tv_call(number, 0, 0, 0, 0) != 0, "call %u from outside a PAL returned 0", number);
    return machine_goes_on();
}

static bool both_instructions(void)
{
    volatile uintptr_t result = 1;
    int signal = CAUGHT({ result = tv_vmcall(TV_CALL_TEST, 1, 0, 0, 0); });
    EXPECT(!signal && result == 0, "vmcall: %s", signal ? strsignal(signal) : "TEST failed");
    result = 1;
    signal = CAUGHT({ result = tv_vmmcall(TV_CALL_TEST, 2, 0, 0, 0); });
    EXPECT(!signal && result == 0, "vmmcall: %s", signal ? strsignal(signal) : "TEST failed");
    return true;
}

static bool cpuid_leaf(void)
{
    struct tv_cpuid r = tv_cpuid(TV_CPUID_LEAF, 0);
    EXPECT(r.ebx == TV_NOT_IN_PAL, "EBX outside a PAL is %#x", r.ebx);
    EXPECT((r.ecx & 1) == (sizeof(void *) == 8), "ECX bit 0 says the wrong width: %#x", r.ecx);
    EXPECT(tv_cpuid(TV_CPUID_LEAF, 1).eax != TV_CPUID_ANSWER, "the leaf answers with ECX = 1 too");
    return true;
}

static bool twice(void)
{
    static struct tv_pal pal;
    if (!worker_register(&pal))
        return false;
    EXPECT(tv_pal_register(&pal) != 0, "the same pages were registered twice");
    EXPECT(worker_works(&pal), "the second REG harmed the first");
    EXPECT(tv_pal_unregister(&pal) == 0, "UNREG failed");
    EXPECT(tv_pal_unregister(&pal) != 0, "UNREG twice was accepted");
    return machine_goes_on();
}

/* A second PAL that wants one page of the first. */
static bool other_pals_page(void)
{
    static struct tv_pal victim, thief;
    if (!worker_register(&victim) || !worker_create(&thief))
        return false;
    enum tv_section_type types[] = {TV_SECTION_CODE, TV_SECTION_DATA, TV_SECTION_STACK, TV_SECTION_PARAM};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct tv_pal attempt = thief;
        section_of(&attempt, TV_SECTION_DATA)->start_addr = section_of(&victim, types[i])->start_addr;
        EXPECT(tv_pal_register(&attempt) != 0, "another PAL's page of type %d was registered", types[i]);
    }
    EXPECT(worker_works(&victim) && tv_pal_unregister(&victim) == 0, "the victim was harmed");
    return machine_goes_on();
}

/* The same by another process, through memory that both share. */
static bool other_processs_page(void)
{
    static struct tv_pal victim, thief;
    int status = 0;
    unsigned char *shared = mmap(NULL, TV_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT(shared != MAP_FAILED && worker_create(&victim), "mmap: %s", strerror(errno));
    *shared = 1;
    section_of(&victim, TV_SECTION_DATA)->start_addr = (uintptr_t)shared;
    EXPECT(tv_pal_register(&victim) == 0, "the first PAL was refused");
    pid_t child = fork();
    if (child == 0) {
        bool ok = worker_create(&thief);
        section_of(&thief, TV_SECTION_DATA)->start_addr = (uintptr_t)shared;
        _exit(ok && tv_pal_register(&thief) != 0 && tv_pal_unregister(&victim) != 0 ? 0 : 1);
    }
    EXPECT(waitpid(child, &status, 0) == child && status == 0,
           "another process took, or ended, what is not its own");
    EXPECT(worker_works(&victim) && tv_pal_unregister(&victim) == 0, "the victim was harmed");
    return machine_goes_on();
}

static bool physical_page(unsigned long long address, const char *what)
{
    static struct tv_pal pal;
    volatile unsigned char *page = map_physical(address);
    if (!page || !worker_create(&pal))
        return false;
    section_of(&pal, TV_SECTION_DATA)->start_addr = (uintptr_t)page;
    EXPECT(tv_pal_register(&pal) != 0, "%s at %#llx was registered", what, address);
    return machine_goes_on();
}

static bool hypervisor_page(void)
{
    unsigned long long start, end;
    EXPECT(!hypervisor_range(&start, &end), "no Reserved memory above 16 MiB in /proc/iomem");
    return physical_page(start, "the hypervisor") &&
           physical_page((start + (end - start) / 2) & ~0xfffull, "the hypervisor") &&
           physical_page(end & ~0xfffull, "the hypervisor");
}

static bool lapic_page(void)
{
    volatile unsigned char *page = map_physical(0xfee00000);
    if (!page) {
        puts("    boot the guest with iomem=relaxed to try this");
        fflush(stdout);
        _exit(CHECK_SKIPPED);
    }
    munmap((void *)(uintptr_t)page, TV_PAGE);
    return physical_page(0xfee00000, "the local APIC");
}

/* STACK and PARAM are 4 KiB pieces of one of the program's 2 MiB pages; the rest of that stays the program's.
 */
static bool in_large_page(void)
{
    enum { LARGE = 2 << 20 };
    static struct tv_pal pal;
    unsigned char *area = mmap(NULL, 2 * LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(area != MAP_FAILED, "mmap: %s", strerror(errno));
    area += LARGE - (uintptr_t)area % LARGE;
    if (madvise(area, LARGE, MADV_HUGEPAGE))
        printf("    no large pages here: %s\n", strerror(errno)); /* then the case is an ordinary one */
    memset(area, 0x77, LARGE);
    if (!worker_create(&pal))
        return false;
    section_of(&pal, TV_SECTION_STACK)->start_addr = (uintptr_t)area + 5 * TV_PAGE;
    section_of(&pal, TV_SECTION_PARAM)->start_addr = (uintptr_t)area + 9 * TV_PAGE;
    uintptr_t result = tv_pal_register(&pal);
    EXPECT(result == 0, "REG = %#zx", (size_t)result);
    EXPECT(worker_works(&pal) && tv_pal_unregister(&pal) == 0, "that PAL does not work");
    for (size_t i = 0; i < LARGE; i++) {
        bool lent = i / TV_PAGE == 5 || i / TV_PAGE == 9;
        EXPECT(area[i] == (lent ? 0 : 0x77), "byte %#zx is %#x", i, area[i]);
    }
    return machine_goes_on();
}

/* Registering, and unregistering oneself, from inside a PAL. */
static bool calls_inside(void)
{
    static struct tv_pal pal, other;
    if (!worker_create(&pal) || !worker_create(&other))
        return false;
    uintptr_t *data = (uintptr_t *)(uintptr_t)page_of(&pal, TV_SECTION_DATA);
    data[1] = (uintptr_t)&other.sections;
    data[2] = (uintptr_t)&other.params;
    data[3] = other.entry;
    EXPECT(tv_pal_register(&pal) == 0, "a good PAL was refused");
    uintptr_t test = work(&pal, WORK_CALL, TV_CALL_TEST, NULL);
    uintptr_t reg = work(&pal, WORK_CALL, TV_CALL_REG, NULL);
    uintptr_t slot = work(&pal, WORK_CPUID, 0, NULL);
    EXPECT(test == 0, "TEST inside a PAL = %#zx", (size_t)test);
    EXPECT(reg != 0, "REG inside a PAL was accepted");
    EXPECT(slot < TV_NOT_IN_PAL - 1, "CPUID inside a PAL says %#zx", (size_t)slot);
    EXPECT(tv_pal_unregister(&pal) == 0, "UNREG failed");

    data[1] = pal.entry; /* DATA came back, zeroed */
    EXPECT(tv_pal_register(&pal) == 0, "it could not be registered again");
    EXPECT(work(&pal, WORK_CALL, TV_CALL_UNREG, NULL) != 0, "a PAL unregistered itself while it ran");
    EXPECT(worker_works(&pal) && tv_pal_unregister(&pal) == 0, "the PAL was harmed");
    return machine_goes_on();
}

static const struct check checks[] = {
    CASE(both_instructions),    CASE(cpuid_leaf),      CASE(unknown_numbers), CASE(tpm_from_outside),
    CASE(spoilt_registrations), CASE(wild_structures), CASE(twice),           CASE(other_pals_page),
    CASE(other_processs_page),  CASE(hypervisor_page), CASE(lapic_page),      CASE(in_large_page),
    CASE(calls_inside),
};

int calls_program(int argc, char **argv)
{
    return check_main(argc, argv, checks, sizeof checks / sizeof checks[0]);
}
