/*
 * cost [COUNT]: what the hypervisor's services cost a program, in ticks of the TSC, measured from outside at CPL 3.
 *
 * Each is done COUNT times, from one CPU, while every other CPU of the guest runs a program of its own; an
 * interrupt in the midst of one spoils that one, so the least and the median are told. Between two, the wire
 * gets the time to send what the last one has logged. One line each, for a machine to read (ci/bench_exits.py):
 *     COST NAME min N median N
 */
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../lib/tv.h"
#include "programs.h"

enum { COUNT_DEFAULT = 30, COUNT_MAX = 1000, TEST_ARGUMENT = 7 };
/* About what 40 bytes take at 115200 baud and 10 million instructions a second, Bochs's pace. */
enum { PAUSE_TICKS = 40000 };

static inline uint64_t ticks(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

struct samples {
    unsigned count;
    uint64_t took[COUNT_MAX];
};

static void report(const char *name, struct samples *samples)
{
    qsort(samples->took, samples->count, sizeof samples->took[0], by_size);
    printf("COST %s min %llu median %llu\n", name, (unsigned long long)samples->took[0],
           (unsigned long long)samples->took[samples->count / 2]);
}

static void pause_for_wire(void)
{
    for (uint64_t end = ticks() + PAUSE_TICKS; ticks() < end;)
        __asm__ volatile("pause");
}

/* What is measured, done once. Each returns whether it worked. */
TV_PAL_IMAGE(cost);
TV_PAL_CODE(cost) static uintptr_t add(uintptr_t value, uintptr_t *pointer)
{
    uintptr_t old = *pointer;
    *pointer += value;
    return old;
}

static struct tv_pal pal;

static bool nothing(void)
{
    return true;
}
static bool ask_cpuid(void)
{
    return tv_cpuid(0, 0).eax != 0;
}
/* By the vendor's own instruction: the other one's is a #UD to begin with. */
static bool intel;
static inline uintptr_t hypercall(uint32_t number, uintptr_t ecx, uintptr_t esi, uintptr_t edi)
{
    return intel ? tv_vmcall(number, ecx, 0, esi, edi) : tv_vmmcall(number, ecx, 0, esi, edi);
}
static bool call_test(void)
{
    return hypercall(TV_CALL_TEST, TEST_ARGUMENT, 0, 0) == 0;
}
static bool call_pal(void)
{
    uintptr_t word = 40;
    return TV_PAL_CALL(&pal, add)(2, &word) == 40 && word == 42;
}
static bool register_pal(void)
{
    return hypercall(TV_CALL_REG, (uintptr_t)&pal.sections, (uintptr_t)&pal.params, pal.entry) == 0;
}
static bool unregister_pal(void)
{
    return hypercall(TV_CALL_UNREG, pal.entry, 0, 0) == 0;
}

/* The empty measurement is part of each. False: one failed. */
static bool sample(struct samples *samples, unsigned i, bool (*once)(void))
{
    pause_for_wire();
    uint64_t start = ticks();
    bool worked = once();
    samples->took[i] = ticks() - start;
    samples->count = i + 1;
    return worked;
}

static bool measure(const char *name, bool (*once)(void), unsigned count)
{
    static struct samples samples;
    for (unsigned i = 0; i < count; i++)
        if (!sample(&samples, i, once))
            return false;
    report(name, &samples);
    return true;
}

static bool measure_pal(unsigned count)
{
    static struct samples registered, unregistered;
    int error = tv_pal_create(&pal, TV_PAL(cost, add), (struct tv_pages){.data = 1, .stack = 1, .param = 1});
    if (error) {
        fprintf(stderr, "cannot prepare the PAL's pages: %s\n", strerror(-error));
        return false;
    }
    tv_pal_param(&pal, TV_PARAM_INTEGER, 0);
    tv_pal_param(&pal, TV_PARAM_POINTER, 1);
    for (unsigned i = 0; i < count; i++)
        if (!sample(&registered, i, register_pal) || !sample(&unregistered, i, unregister_pal))
            return false;
    report("reg", &registered);
    report("unreg", &unregistered);
    return register_pal() && measure("call", call_pal, count) && unregister_pal();
}

/* This program on the first CPU, and a busy one on each other. Their number, or negative. */
static int spread(pid_t busy[CPU_SETSIZE])
{
    cpu_set_t all, one;
    int started = 0;
    bool here = true;
    if (sched_getaffinity(0, sizeof all, &all))
        return -1;
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &all))
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        pid_t child = here ? 0 : fork();
        if (child < 0 || (child == 0 && sched_setaffinity(0, sizeof one, &one)))
            return -1;
        if (child == 0 && !here) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;)
                __asm__ volatile("pause");
        }
        if (child)
            busy[started++] = child;
        here = false;
    }
    return started;
}

int cost_program(int argc, char **argv)
{
    static pid_t busy[CPU_SETSIZE];
    unsigned long long count = COUNT_DEFAULT;
    if (argc > 2) {
        fprintf(stderr, "usage: %s [COUNT]: measures exits, hypercalls and PALs, COUNT times each\n",
                argv[0]);
        return STATUS_USAGE;
    }
    if (argc == 2 && parse_number(argv[1], "COUNT", &count))
        return STATUS_USAGE;
    if (count < 1 || count > COUNT_MAX) {
        fprintf(stderr, "COUNT is 1 to %d\n", COUNT_MAX);
        return STATUS_USAGE;
    }
    if (tv_require())
        return STATUS_FAIL;
    intel = tv_cpuid(0, 0).ecx == 0x6c65746e; /* "ntel" */
    int others = spread(busy);
    if (others < 0) {
        perror("cannot run on all CPUs");
        return STATUS_FAIL;
    }
    printf("COST with %d other CPUs busy\n", others);
    bool worked = !mlockall(MCL_CURRENT | MCL_FUTURE) && measure("nothing", nothing, (unsigned)count) &&
                  measure("cpuid", ask_cpuid, (unsigned)count) &&
                  measure("test", call_test, (unsigned)count) && measure_pal((unsigned)count);
    for (int i = 0; i < others; i++)
        kill(busy[i], SIGKILL);
    while (wait(NULL) > 0)
        ;
    if (!worked)
        fprintf(stderr, "a call failed; Braid's log says why\n");
    return worked ? STATUS_PASS : STATUS_FAIL;
}
