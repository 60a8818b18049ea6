/*
 * What log/ knows of each CPU and context. Private to log/.
 *
 * Who writes what. The first half of a writer belongs to its producer: this CPU in this context. The second
 * half belongs to whoever sends the ring's records: the producer itself (sync), the CPU's normal context
 * (log_pump), or the panicking CPU (log_flush_panic), which takes the wire from all others. They take turns
 * by the rules in send.h, but a stopped CPU that goes on after all may meet the panicking one; so these
 * fields are relaxed atomics, read and written whole, and the worst that comes of it is a frame that the
 * decoder counts as lost.
 */
#ifndef LOG_WRITER_H
#define LOG_WRITER_H

#include "log/area.h"
#include "log/log.h"
#include "log/ring.h"

#define log_get(field)      atomic_load_explicit(&(field), memory_order_relaxed)
#define log_set(field, val) atomic_store_explicit(&(field), val, memory_order_relaxed)
/* Adds to a counter that one context writes at a time: no locked instruction. */
#define log_add(field, val) log_set(field, log_get(field) + (val))

struct log_writer {
    struct log_ring ring;
    _Atomic uint32_t serial; /* records made for the wire */
    uint8_t cpu;
    uint8_t context;
    uint8_t credit;      /* bytes this context may give the UART before it looks at THRE again: see uart.c */
    uint64_t owner_seen; /* see owner.c */
    uint64_t owner_since;

    _Alignas(64) _Atomic uint64_t sent; /* number of the last record dealt with */
    _Atomic uint32_t taken;             /* serial of the last record dealt with: sent or counted as dropped */
    _Atomic bool busy;                  /* the normal context sends this writer's records: leave them to it */
    _Atomic bool synced;                /* the reader knows this context's time and counters */
    _Atomic uint32_t frames;            /* begun */
    _Atomic uint32_t sync_frames;       /* value of `frames` at the last SYNC */
    _Atomic uint64_t time;              /* of the last frame's last record, in units of 2^shift ticks */
    _Atomic uint64_t time_before;       /* of the frame before that */
    _Atomic uint64_t dropped;
    _Atomic uint64_t records;
    _Atomic uint64_t wire_bytes;
};

struct log_lane {
    struct log_writer writer[LOG_CONTEXTS];
    uint32_t apic_id;
    _Atomic bool identified;        /* a SYNC with identity went out */
    _Atomic uint64_t identity_time; /* in units of 2^shift ticks */
    uint64_t found_waiting;         /* when log_pump_at_exit() first found the backlog; 0: there was none */
};

enum { LOG_AT_ONCE = 0x100 };

/* The one log. Written by log_init() and log_open_wire() while one CPU runs; then only the atomics change. */
struct log_state {
    struct log_area *area;
    unsigned max_cpus; /* 0 before log_init() */
    unsigned cpus;     /* lanes; 0 before log_open_wire() */
    unsigned tag_bits;
    unsigned shift;
    _Atomic uint16_t
        route;         /* the finest level for the wire; with LOG_AT_ONCE while it is open in sync mode */
    _Atomic bool open; /* the wire is open */
    _Atomic uint64_t homeless;
    struct log_lane lane[LOG_MAX_CPUS];
};
extern struct log_state log_state;

#endif
