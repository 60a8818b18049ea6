/*
 * What log/ needs from its surroundings, for the benchmark of a record in memory: as cheap as in the
 * hypervisor. A thread is a CPU, whose writer stands in a variable of its own; the TSC, and no UART.
 */
#ifndef LOG_BENCH_ENV_H
#define LOG_BENCH_ENV_H

#include <stdint.h>
#include <x86intrin.h>

struct log_writer;

extern _Thread_local struct log_writer *bench_writer;

static inline struct log_writer *log_self(void)
{
    return bench_writer;
}
static inline uint64_t log_clock(void)
{
    return __rdtsc();
}
static inline uint8_t log_inb(uint16_t port)
{
    (void)port;
    return 0xff;
}
static inline void log_outb(uint16_t port, uint8_t value)
{
    (void)port;
    (void)value;
}
static inline void log_relax(void) {}

#endif
