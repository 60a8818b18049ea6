/*
 * What an event of lttng-ust costs, the same way as record.c: the median of many short runs of one loop. Run it within
 * a session that has the event enabled, else it measures a disabled one. Usage: lttng EVENTS
 */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "log/bench/lttng.h"

enum { RUNS = 101 };

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return 1e9 * (double)time.tv_sec + (double)time.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    const unsigned loops = argc == 2 ? (unsigned)atoi(argv[1]) / RUNS : 0;
    static double runs[RUNS];

    if (loops == 0) {
        fprintf(stderr, "usage: lttng EVENTS, at least %d\n", RUNS);
        return 2;
    }
    for (unsigned run = 0; run < RUNS; run++) {
        const double start = now();

        for (unsigned i = 0; i < loops; i++)
            lttng_ust_tracepoint(braid_bench, section, i & 7, 200);
        runs[run] = (now() - start) / loops;
    }
    qsort(runs, RUNS, sizeof(runs[0]), ascending);
    printf("{\"lttng_ns\": %.1f, \"enabled\": %d}\n", runs[RUNS / 2],
           lttng_ust_tracepoint_enabled(braid_bench, section) != 0);
    return 0;
}
