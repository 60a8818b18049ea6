/*
 * quiesce COUNT: lets the hypervisor stop all CPUs COUNT times from this one, and has it confirm the number
 * by its own counters. quiesce --counters: shows these counters. quiesce --break WAY: breaks the hypervisor,
 * to see it report: 0 stack overflow, 1 page fault, 2 invalid opcode, 3 a CPU that does not park for seconds.
 */
#include <string.h>
#include "../programs/programs.h"
#include "check.h"

static size_t counter(enum braid_counter index)
{
    return tv_call(BRAID_CALL_COUNTER, index, 0, 0, 0);
}

static int needs_option(void)
{
    fprintf(stderr, "the hypervisor does not answer its test calls: boot it with the option test=on\n");
    return STATUS_FAIL;
}

/* One line for a machine to read. Refused calls return 1; a guest that runs has made more than one exit. */
static int show_counters(void)
{
    size_t exits = counter(BRAID_EXITS);
    if (exits <= 1)
        return needs_option();
    printf("COUNTERS quiesces=%zu exits=%zu nmis_sent=%zu nmis_injected=%zu\n", counter(BRAID_QUIESCES),
           exits, counter(BRAID_NMIS_SENT), counter(BRAID_NMIS_INJECTED));
    return STATUS_PASS;
}

/* Returns only where the hypervisor lives on. */
static int break_hypervisor(const char *way)
{
    unsigned long long number;
    if (parse_number(way, "WAY", &number))
        return STATUS_USAGE;
    if (tv_require())
        return STATUS_FAIL;
    return tv_call(BRAID_CALL_BREAK, (uintptr_t)number, 0, 0, 0) == 0 ? STATUS_PASS : needs_option();
}

int quiesce_program(int argc, char **argv)
{
    unsigned long long count;
    if (argc == 3 && !strcmp(argv[1], "--break"))
        return break_hypervisor(argv[2]);
    if (argc != 2) {
        fprintf(stderr,
                "usage: %s COUNT | --counters | --break WAY: stops all CPUs COUNT times, shows the counters, "
                "or breaks the hypervisor\n",
                argv[0]);
        return STATUS_USAGE;
    }
    if (!strcmp(argv[1], "--counters"))
        return tv_require() ? STATUS_FAIL : show_counters();
    if (parse_number(argv[1], "COUNT", &count))
        return STATUS_USAGE;
    if (count < 1 || count > UINT32_MAX) {
        fprintf(stderr, "COUNT is 1 to %u\n", UINT32_MAX);
        return STATUS_USAGE;
    }
    if (tv_require())
        return STATUS_FAIL;

    size_t before = counter(BRAID_QUIESCES);
    size_t completed = tv_call(BRAID_CALL_QUIESCE, (uintptr_t)count, 0, 0, 0);
    size_t counted = counter(BRAID_QUIESCES) - before;
    if (counted == 0)
        return needs_option();
    printf("quiesces asked %llu completed %zu counted %zu\n", count, completed, counted);
    int status = show_counters();
    return completed == count && counted >= count ? status : STATUS_FAIL;
}
