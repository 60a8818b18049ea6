/*
 * The log, as the rest of the system sees it.
 *
 *     log_info("zeroing section %d of %s", i, name);
 *
 * writes a binary record (format id, time, arguments) into a ring in memory that belongs to this CPU and
 * context alone, and, by mode, onto the serial wire. Format, file, line and argument types stay in the ELF
 * file, in section braid_log, which is not loaded; the decoder reads them there.
 *
 * Every function here may be called in any context (normal, NMI, machine check, panic) unless it says
 * otherwise. None takes a lock, allocates, or waits without a bound. A context that another one interrupts
 * goes on unharmed.
 *
 * The surroundings supply log_env.h (which CPU and context this is, the clock, the ports), memcpy and memset,
 * and link with log/braid_log.ld.
 */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "log/site.h"

/* Contexts nest strictly on one CPU: interrupted only by those with a greater number, never by themselves. */
enum log_context { LOG_NORMAL, LOG_NMI, LOG_MCE, LOG_PANIC, LOG_CONTEXTS };

/* sync: a record has left for the UART when the call returns. async: it waits in its ring for log_pump(). */
enum log_mode { LOG_SYNC, LOG_ASYNC };

enum { LOG_MAX_CPUS = 32 };     /* t <= 5 bits of tag */
enum { LOG_PORT_COM1 = 0x3f8 }; /* used by log_puts_early() before log_open_wire() names another */

/* The UART's FIFO: as found; for tests: as on a part that has none; off behind the driver's back, which loses
 * bytes (the negative control). */
enum log_fifo { LOG_FIFO_PROBED, LOG_FIFO_NONE, LOG_FIFO_OFF };

/* What the functions that can fail return, all negative. */
enum log_error {
    LOG_OK = 0,
    LOG_ERR_CPUS = -1,   /* no CPU, or more than LOG_MAX_CPUS, or more than log_init() made rings for */
    LOG_ERR_MEMORY = -2, /* memory is missing, misaligned or smaller than log_memory_size() */
    LOG_ERR_CLOCK = -3,  /* tsc_khz is 0 */
    LOG_ERR_UART = -4,   /* no UART answers at the port: the records stay in the rings */
};

struct log_config {
    unsigned cpus;    /* lanes: the CPUs that the firmware's table enables, 1..LOG_MAX_CPUS */
    uint64_t tsc_khz; /* rate of log_clock() */
    enum log_mode mode;
    enum log_level wire_level; /* the finest level that goes to the wire */
    enum log_level
        ring_level; /* the finest level that goes to the ring; raised to wire_level where it is below */
    uint16_t port;  /* base of the UART; 0 is LOG_PORT_COM1 */
    const uint8_t *build_id; /* the ELF's GNU build-id; copied */
    unsigned build_id_size;  /* in bytes; at most 20 are kept */
    enum log_fifo test_fifo;
};

struct log_totals {
    uint64_t frames;     /* begun, SYNC included */
    uint64_t records;    /* sent whole; a record is a line of the trace */
    uint64_t wire_bytes; /* given to the UART as frames */
    uint64_t dropped;    /* records of wire level that were overwritten before the wire took them */
    uint64_t homeless;   /* records that found no writer: log_self() was NULL, or log_init() had not run */
    uint64_t given_up;   /* times that the UART stayed busy past its time */
};

struct log_writer; /* one CPU in one context; opaque */

/* Bytes of memory that log_init() needs for so many CPUs. */
size_t log_memory_size(unsigned cpus);

/*
 * Phase 1, before anything else: lays the rings out in `memory` (writable, 4096-byte aligned, mapped for
 * good, and at an address that no build changes, so that the next boot finds it) and starts a new epoch.
 * Records then go to the rings. Call once, on one CPU, normal context. Returns LOG_OK, LOG_ERR_CPUS or
 * LOG_ERR_MEMORY.
 */
int log_init(void *memory, size_t size, unsigned max_cpus);

/*
 * Phase 2, while one CPU runs, normal context, CPU count known: programs the UART, sends the banner and what
 * waits in this CPU's rings, and opens the wire for all. Returns LOG_OK, LOG_ERR_CPUS, LOG_ERR_CLOCK or
 * LOG_ERR_UART.
 */
int log_open_wire(const struct log_config *config);

/* Before the first record of a CPU: `apic_id` is what SYNC frames name it by. */
void log_cpu_online(unsigned cpu, uint32_t apic_id);

/* The writer that log_self() is to return on this CPU in this context; NULL before log_init() or beyond its
 * CPUs. */
struct log_writer *log_writer(unsigned cpu, enum log_context context);

/* The finest levels for wire and ring, from now on. */
void log_set_levels(enum log_level wire, enum log_level ring);

/* A text record, for what no format fits (panic, a guest's line). Cut after 4 records, and "..." ends it. */
void log_text(enum log_level level, const char *text);

/*
 * Sends up to max_records of what waits in the rings of `cpu`; returns what log_backlog() then says. Normal
 * context of that CPU only: at VM exits, when idle, while parked. In sync mode there is something to send
 * only after the wire failed.
 */
bool log_pump(unsigned cpu, unsigned max_records);

/* What this context has logged leaves now, in async mode, too: a CPU's answer from where it hangs. Any context. */
void log_push(void);

/* Are there records of `cpu` (< max_cpus) that the wire has not taken? Cheap. Any context. */
bool log_waits(unsigned cpu);

/*
 * The same at VM exits, which are many: a backlog of fewer than 8 records is left to a later exit, or to idle, until
 * 1 ms has passed since the exit that first found it. So more records share a frame.
 */
bool log_pump_at_exit(unsigned cpu, unsigned max_records);

/*
 * True if log_pump(cpu) has something to send, and the UART is not known to be stuck: so a CPU that stays
 * awake while this is true does not do so for a dead UART. Pump now and then all the same: that is how its
 * revival is noticed.
 */
bool log_backlog(unsigned cpu);

/*
 * Takes the wire for this CPU and sends what waits in the rings of all. Panic context; stop the other CPUs
 * first if that can be done in bounded time. Those that still run send one at a time from now on, or not at
 * all.
 */
void log_flush_panic(void);

/*
 * Before power-off or reset: sends what waits in the rings of this CPU, if it is in its normal context, and waits until
 * the UART has sent its last bit, at most one second.
 */
void log_drain(void);

/* Sums over all CPUs; each number is exact when nobody logs. */
struct log_totals log_totals(void);

/* Plain ASCII before the wire is open, for boot errors; programs the UART if nobody has. Later it is
 * log_text(LOG_ERROR). */
void log_puts_early(const char *text);

#define log_error(...) LOG_AT(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  LOG_AT(LOG_WARN, __VA_ARGS__)
#define log_info(...)  LOG_AT(LOG_INFO, __VA_ARGS__)
#define log_debug(...) LOG_AT(LOG_DEBUG, __VA_ARGS__)
#define log_trace(...) LOG_AT(LOG_TRACE, __VA_ARGS__)

#endif
