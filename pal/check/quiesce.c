/*
 * quiesce COUNT: lets the hypervisor stop all CPUs COUNT times from this one, and has it confirm the number
 * by its own counters. quiesce --counters: shows these counters.
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

int quiesce_program(int argc, char **argv)
{
    unsigned long long count;
    if (argc != 2) {
        fprintf(stderr, "usage: %s COUNT | --counters: stops all CPUs COUNT times, or shows the counters\n",
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
