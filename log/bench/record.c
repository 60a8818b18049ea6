/*
 * What a record in memory costs its caller, two arguments, call site included.
 *
 *     record            nanoseconds of a record and of a bare RDTSC: the medians of many short runs; and of a record
 *                       while 1, 2, 4, 8 CPUs make some, each a thread, by its own CPU time: the slowest's median
 *     record N          makes N records and says nothing: for callgrind, which counts instructions. The
 * difference between two runs is free of what surrounds the loop.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "log/log.h"
#include "log_env.h"

enum { RUNS = 301, LOOPS = 20000, MAX_CPUS = 8 };

_Thread_local struct log_writer *bench_writer;

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return 1e9 * (double)time.tv_sec + (double)time.tv_nsec;
}

#define RECORD(i) log_info("section %u has %d pages", (i)&7, 200)

/* Two arguments as they are most often: a small number and one of two bytes. */
static void records(unsigned count)
{
    for (unsigned i = 0; i < count; i += 10) { /* ten call sites a turn: the loop itself hardly counts */
        RECORD(i);
        RECORD(i);
        RECORD(i);
        RECORD(i);
        RECORD(i);
        RECORD(i);
        RECORD(i);
        RECORD(i);
        RECORD(i);
        RECORD(i);
    }
}

static void tscs(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const uint64_t tsc = __rdtsc();

        __asm__ volatile("" ::"r"(tsc));
    }
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Nanoseconds a loop: the median, since the machine has other work too. */
static double cost(void (*what)(unsigned))
{
    static _Thread_local double runs[RUNS];

    for (unsigned i = 0; i < RUNS; i++) {
        const double start = now();

        what(LOOPS);
        runs[i] = (now() - start) / LOOPS;
    }
    qsort(runs, RUNS, sizeof(runs[0]), ascending);
    return runs[RUNS / 2];
}

static pthread_barrier_t all_ready;
static double costs[MAX_CPUS];

static void *cpu(void *index)
{
    const unsigned self = (unsigned)(uintptr_t)index;

    bench_writer = log_writer(self, LOG_NORMAL);
    pthread_barrier_wait(&all_ready);
    costs[self] = cost(records);
    return NULL;
}

static double cost_on(unsigned cpus)
{
    pthread_t threads[MAX_CPUS];
    double most = 0;

    pthread_barrier_init(&all_ready, NULL, cpus);
    for (unsigned i = 0; i < cpus; i++)
        if (pthread_create(&threads[i], NULL, cpu, (void *)(uintptr_t)i) != 0)
            abort();
    for (unsigned i = 0; i < cpus; i++) {
        pthread_join(threads[i], NULL);
        most = costs[i] > most ? costs[i] : most;
    }
    pthread_barrier_destroy(&all_ready);
    return most;
}

int main(int argc, char **argv)
{
    void *memory = aligned_alloc(4096, (log_memory_size(MAX_CPUS) + 4095) / 4096 * 4096);

    if (memory == NULL || log_init(memory, log_memory_size(MAX_CPUS), MAX_CPUS) != LOG_OK) {
        fprintf(stderr, "record: no memory for the rings\n");
        return 1;
    }
    bench_writer = log_writer(0, LOG_NORMAL);
    if (argc == 2) {
        records((unsigned)atoi(argv[1]));
    } else {
        const double record = cost(records), tsc = cost(tscs);

        printf("{\"record_ns\": %.2f, \"rdtsc_ns\": %.2f, \"record_ns_by_cpus\": {", record, tsc);
        for (unsigned cpus = 1; cpus <= MAX_CPUS; cpus *= 2)
            printf("%s\"%u\": %.2f", cpus > 1 ? ", " : "", cpus, cost_on(cpus));
        printf("}}\n");
    }
    free(memory);
    return 0;
}
