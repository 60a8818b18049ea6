/* What log/ needs from its surroundings (log/log.h), for the hypervisor. */
#ifndef CORE_LOG_ENV_H
#define CORE_LOG_ENV_H

#include "core/cpu.h"

static inline struct log_writer *log_self(void)
{
    struct cpu *cpu = this_cpu();
    return cpu->writers[cpu->context];
}
static inline uint64_t log_clock(void)
{
    return rdtsc();
}
static inline uint8_t log_inb(uint16_t port)
{
    return inb(port);
}
static inline void log_outb(uint16_t port, uint8_t value)
{
    outb(port, value);
}
static inline void log_relax(void)
{
    cpu_relax();
}

#endif
