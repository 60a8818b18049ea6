/*
 * What log/ needs from its surroundings, for programs on the host: tests supply the functions. The hypervisor
 * has its own file of this name, with the same five functions; the include path chooses.
 */
#ifndef LOG_ENV_H
#define LOG_ENV_H

#include <stdint.h>

struct log_writer;

struct log_writer *log_host_self(void);
uint64_t log_host_clock(void);
uint8_t log_host_inb(uint16_t port);
void log_host_outb(uint16_t port, uint8_t value);
void log_host_relax(void);

/* The writer of this CPU in the context it is in now; NULL while there is none. */
static inline struct log_writer *log_self(void)
{
    return log_host_self();
}
/* A clock that never goes back on one CPU: the TSC. */
static inline uint64_t log_clock(void)
{
    return log_host_clock();
}
static inline uint8_t log_inb(uint16_t port)
{
    return log_host_inb(port);
}
static inline void log_outb(uint16_t port, uint8_t value)
{
    log_host_outb(port, value);
}
/* In loops that wait: PAUSE. */
static inline void log_relax(void)
{
    log_host_relax();
}

#endif
