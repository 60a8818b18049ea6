/* The program, and the kernel for it, reach for a registered PAL's pages from outside, and call it in ways it
 * should not be. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "../programs/programs.h"
#include "check.h"

#define SECRET ((uintptr_t)0x5ec2e7)

/* The worker, registered, with a secret in DATA. */
static bool keeper(struct tv_pal *pal)
{
    if (!worker_register(pal))
        return false;
    int signal = CAUGHT({ work(pal, WORK_STORE, SECRET, NULL); });
    EXPECT(!signal, "the call ended with %s", strsignal(signal));
    return true;
}

/* The attempt changed nothing: the secret is there, and comes back as zero. */
static bool kept(struct tv_pal *pal)
{
    volatile uintptr_t secret = 0;
    int signal = CAUGHT({ secret = work(pal, WORK_LOAD, 0, NULL); });
    EXPECT(!signal, "the PAL does not work any more: %s", strsignal(signal));
    EXPECT(secret == SECRET, "the PAL's data changed to %#zx", (size_t)secret);
    EXPECT(tv_pal_unregister(pal) == 0, "the PAL is not known any more");
    EXPECT(is_scrubbed(pal), "DATA, STACK and PARAM did not come back as zero");
    tv_pal_destroy(pal);
    return machine_goes_on();
}

static bool touch(enum tv_section_type type, bool write)
{
    static struct tv_pal pal;
    if (!keeper(&pal))
        return false;
    volatile unsigned char *page = page_of(&pal, type);
    int signal = CAUGHT({ write ? (void)(page[8] = 0x90) : (void)page[8]; });
    EXPECT(signal == SIGSEGV || signal == SIGBUS, "expected a segmentation fault, got %s",
           signal ? strsignal(signal) : "nothing");
    return kept(&pal);
}

#define TOUCH(name, type, write)                                                                             \
    static bool name(void)                                                                                   \
    {                                                                                                        \
        return touch(type, write);                                                                           \
    }
TOUCH(read_code, TV_SECTION_CODE, false)
TOUCH(read_data, TV_SECTION_DATA, false)
TOUCH(read_stack, TV_SECTION_STACK, false)
TOUCH(read_param, TV_SECTION_PARAM, false)
TOUCH(write_code, TV_SECTION_CODE, true)
TOUCH(write_data, TV_SECTION_DATA, true)
TOUCH(write_stack, TV_SECTION_STACK, true)
TOUCH(write_param, TV_SECTION_PARAM, true)

/* Places where the code would return in peace, if it were let in. */
static bool jump(struct tv_pal *pal, uintptr_t to)
{
    int signal = CAUGHT({ ((void (*)(void))to)(); });
    EXPECT(signal, "the jump to another place than the entry was not refused");
    return kept(pal);
}

static bool jump_to_function(void)
{
    static struct tv_pal pal;
    return keeper(&pal) && jump(&pal, inner_of(&pal));
}

static bool jump_to_data(void)
{
    static struct tv_pal pal;
    if (!worker_create(&pal))
        return false;
    volatile unsigned char *page = page_of(&pal, TV_SECTION_DATA);
    page[64] = 0xc3; /* ret */
    EXPECT(tv_pal_register(&pal) == 0, "a good PAL was refused");
    work(&pal, WORK_STORE, SECRET, NULL);
    EXPECT(!mprotect((void *)(uintptr_t)page, TV_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC), "mprotect: %s",
           strerror(errno));
    return jump(&pal, (uintptr_t)page + 64);
}

/*
 * The kernel reads the page for us: that may cost the PAL its life, but must not show the secret, nor cost
 * the machine.
 */
static bool kernel_reads(void)
{
    static struct tv_pal pal;
    uintptr_t seen = 0;
    int ends[2];
    if (!keeper(&pal))
        return false;
    EXPECT(!pipe(ends), "pipe: %s", strerror(errno));
    ssize_t written = write(ends[1], (const void *)(uintptr_t)page_of(&pal, TV_SECTION_DATA), sizeof seen);
    if (written == (ssize_t)sizeof seen)
        EXPECT(read(ends[0], &seen, sizeof seen) == (ssize_t)sizeof seen, "read: %s", strerror(errno));
    printf("    write() = %zd, it read %#zx\n", written, (size_t)seen);
    EXPECT(seen != SECRET, "the kernel saw the PAL's secret");
    if (tv_pal_unregister(&pal) == 0)
        puts("    the PAL survived");
    EXPECT(is_scrubbed(&pal), "DATA, STACK and PARAM did not come back as zero");
    return machine_goes_on();
}

static bool kernel_writes(void)
{
    static struct tv_pal pal;
    uintptr_t value = 1;
    int ends[2];
    if (!keeper(&pal))
        return false;
    EXPECT(!pipe(ends) && write(ends[1], &value, sizeof value) == (ssize_t)sizeof value, "pipe: %s",
           strerror(errno));
    ssize_t got = read(ends[0], (void *)(uintptr_t)page_of(&pal, TV_SECTION_DATA), sizeof value);
    volatile uintptr_t secret = 0;
    int signal = CAUGHT({ secret = work(&pal, WORK_LOAD, 0, NULL); });
    bool dead = tv_pal_unregister(&pal) != 0; /* a dead PAL is nobody to take out */
    printf("    read() = %zd, then the PAL %s\n", got, dead ? "is dead" : "lives");
    EXPECT(signal || dead || secret == SECRET, "the kernel changed the PAL's data to %#zx under its feet",
           (size_t)secret);
    return machine_goes_on();
}

/* Calls with buffers that cannot be copied: refused, and not by halting. What happens to the PAL is
 * TrustVisor's choice. */
static bool call_refused(uintptr_t buffer)
{
    static struct tv_pal pal;
    if (!keeper(&pal))
        return false;
    int signal = CAUGHT({ work(&pal, WORK_ADD, 1, (uintptr_t *)buffer); });
    EXPECT(signal, "a call with a buffer at %#zx was not refused", (size_t)buffer);
    EXPECT(tv_slot() == TV_NOT_IN_PAL, "the CPU is still in the PAL");
    printf("    %s; the PAL %s\n", strsignal(signal), tv_pal_unregister(&pal) ? "is dead" : "lived on");
    EXPECT(is_scrubbed(&pal), "DATA, STACK and PARAM did not come back as zero");
    return machine_goes_on();
}

static bool buffer_unmapped(void)
{
    return call_refused(0x1000);
}

static bool buffer_in_kernel(void)
{
    return call_refused((uintptr_t)-0x70000000);
}

static bool buffer_read_only(void)
{
    void *page = mmap(NULL, TV_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(page != MAP_FAILED, "mmap: %s", strerror(errno));
    *(volatile int *)page = 1;
    EXPECT(!mprotect(page, TV_PAGE, PROT_READ), "mprotect: %s", strerror(errno));
    return call_refused((uintptr_t)page);
}

static bool buffer_in_other_pal(void)
{
    static struct tv_pal other;
    return keeper(&other) && call_refused((uintptr_t)page_of(&other, TV_SECTION_DATA)) && kept(&other);
}

/* A buffer the kernel has not given a page yet: either the call works, or it is refused; nothing in between.
 */
static bool buffer_absent(void)
{
    static struct tv_pal pal;
    uintptr_t *page = mmap(NULL, TV_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(page != MAP_FAILED, "mmap: %s", strerror(errno));
    if (!keeper(&pal))
        return false;
    int signal = CAUGHT({ work(&pal, WORK_ADD, 7, page); });
    printf("    %s\n", signal ? strsignal(signal) : "the call worked");
    EXPECT(*page == (signal ? 0 : 7), "the buffer holds %#zx", (size_t)*page);
    tv_pal_unregister(&pal);
    return machine_goes_on();
}

/* A buffer whose content the kernel may forget, and is told to behind the call: the result stays. */
static bool buffer_forgotten(void)
{
    static struct tv_pal pal;
    uintptr_t *page = mmap(NULL, TV_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(page != MAP_FAILED, "mmap: %s", strerror(errno));
    *page = 1;
    if (!keeper(&pal))
        return false;
    EXPECT(!madvise(page, TV_PAGE, MADV_FREE), "MADV_FREE: %s", strerror(errno));
    work(&pal, WORK_ADD, 7, page);
    EXPECT(!madvise(page, TV_PAGE, MADV_PAGEOUT), "MADV_PAGEOUT: %s", strerror(errno));
    EXPECT(*page >= 7, "the result is lost: the buffer holds %#zx", (size_t)*page);
    tv_pal_unregister(&pal);
    return machine_goes_on();
}

/* More parameter bytes than PARAM has: refused at registration or at the call. */
static bool oversized(void)
{
    static struct tv_pal pal;
    static uintptr_t buffer[TV_PAGE / sizeof(uintptr_t)];
    if (!worker_create(&pal))
        return false;
    memset(buffer, 1, sizeof buffer);
    pal.params.params[2].size = sizeof buffer / sizeof buffer[0];
    EXPECT(tv_param_bytes(&pal.params, sizeof(uintptr_t)) > TV_PAGE, "this case does not test what it says");
    if (tv_pal_register(&pal)) {
        puts("    refused at registration");
        return machine_goes_on();
    }
    int signal = CAUGHT({ work(&pal, WORK_ADD, 1, buffer); });
    EXPECT(signal, "the oversized call was not refused");
    printf("    %s; the PAL %s\n", strsignal(signal), tv_pal_unregister(&pal) ? "is dead" : "lived on");
    return machine_goes_on();
}

/* A PAL that leaves its secret in every register a function may: its caller finds none of them. */
TV_PAL_IMAGE(careless);
#ifdef __x86_64__
TV_PAL_CODE(careless) static __attribute__((naked)) uintptr_t careless(void)
{
    __asm__("mov $0x5ec2e7, %ecx; mov %rcx, %rdx; mov %rcx, %rsi; mov %rcx, %rdi\n"
            "mov %rcx, %r8; mov %rcx, %r9; mov %rcx, %r10; mov %rcx, %r11; xor %eax, %eax; ret");
}

#define CALL_AND_LOOK(entry, left)                                                                           \
    __asm__ volatile(                                                                                        \
        "call *%%rax\n mov %%rcx, (%%rbx); mov %%rdx, 8(%%rbx); mov %%rsi, 16(%%rbx)\n"                      \
        "mov %%rdi, 24(%%rbx); mov %%r8, 32(%%rbx); mov %%r9, 40(%%rbx); mov %%r10, 48(%%rbx)\n"             \
        "mov %%r11, 56(%%rbx)"                                                                               \
        : "+a"(entry)                                                                                        \
        : "b"(left)                                                                                          \
        : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc")
#else
TV_PAL_CODE(careless) static __attribute__((naked)) uintptr_t careless(void)
{
    __asm__("mov $0x5ec2e7, %ecx; mov %ecx, %edx; xor %eax, %eax; ret");
}

#define CALL_AND_LOOK(entry, left)                                                                           \
    __asm__ volatile("call *%%eax\n mov %%ecx, (%%ebx); mov %%edx, 4(%%ebx)"                                 \
                     : "+a"(entry)                                                                           \
                     : "b"(left)                                                                             \
                     : "ecx", "edx", "memory", "cc")
#endif

static bool leftovers(void)
{
    static struct tv_pal pal;
    uintptr_t left[8] = {0};
    EXPECT(!tv_pal_create(&pal, TV_PAL(careless, careless), (struct tv_pages){.stack = 1, .param = 1}),
           "no pages");
    uintptr_t entry = (uintptr_t)careless;
    CALL_AND_LOOK(entry, left);
    EXPECT(left[0] == SECRET && left[1] == SECRET, "this case does not test what it says");
    memset(left, 0, sizeof left);

    tv_pal_param(&pal, TV_PARAM_INTEGER, 0);
    EXPECT(tv_pal_register(&pal) == 0, "a good PAL was refused");
    entry = pal.entry;
    CALL_AND_LOOK(entry, left);
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++)
        EXPECT(left[i] != SECRET, "the caller finds the PAL's secret in scratch register %zu", i);
    EXPECT(tv_pal_unregister(&pal) == 0, "UNREG failed");
    return machine_goes_on();
}

static const struct check checks[] = {
    CASE(read_code),        CASE(read_data),        CASE(read_stack),       CASE(read_param),
    CASE(write_code),       CASE(write_data),       CASE(write_stack),      CASE(write_param),
    CASE(jump_to_function), CASE(jump_to_data),     CASE(kernel_reads),     CASE(kernel_writes),
    CASE(buffer_unmapped),  CASE(buffer_in_kernel), CASE(buffer_read_only), CASE(buffer_in_other_pal),
    CASE(buffer_absent),    CASE(buffer_forgotten), CASE(oversized),        CASE(leftovers),
};

int outside_program(int argc, char **argv)
{
    return check_main(argc, argv, checks, sizeof checks / sizeof checks[0]);
}
