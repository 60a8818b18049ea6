/*
 * Rings: the flight recorder. One ring per CPU and context, so each has exactly one producer and needs no
 * CAS; the oldest record is overwritten. A reader may be on another CPU (panic) or in another boot
 * (post-mortem).
 *
 * Protocol. Record number n (from 1) lives in slot n & mask. The producer
 *     1. stores stamp = 0                         slot n - slots is gone
 *     2. release fence                      (A)   nobody sees new contents under the old stamp
 *     3. fills the slot
 *     4. stores stamp = n with release      (B)   who sees n sees the contents
 *     5. stores head = n with release       (C)   who sees head = n finds stamp n, or a later one
 * The reader
 *     1. loads head with acquire            (C)
 *     2. loads stamp with acquire           (B)   must be n
 *     3. copies the slot
 *     4. acquire fence                      (A)
 *     5. loads stamp again                        must still be n, else the copy is torn and thrown away
 * A nested context of the same CPU needs no more than that the compiler keeps this order.
 */
#ifndef LOG_RING_H
#define LOG_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "log/wire.h"

struct log_slot {
    _Atomic uint64_t stamp; /* the record's number in its ring; 0: empty, or being written */
    uint64_t tsc;
    uint32_t serial; /* how many records of this ring were meant for the wire, up to this one */
    uint16_t id;
    uint8_t size;  /* bytes of payload */
    uint8_t level; /* with LOG_RING_ONLY: was too fine for the wire */
    uint8_t payload[LOG_SLOT_PAYLOAD];
};
_Static_assert(sizeof(struct log_slot) == LOG_SLOT_SIZE,
               "two cache lines, and what post-mortem readers expect");
_Static_assert(LOG_MAX_ARGS * 10 <= LOG_SLOT_PAYLOAD, "ten arguments of ten bytes always fit");

struct log_ring {
    struct log_slot *slots;
    uint64_t mask;         /* number of slots - 1 */
    _Atomic uint64_t head; /* number of the newest record */
};

/* Producer: the slot for record n, closed to readers. */
static inline struct log_slot *log_ring_begin(struct log_ring *ring, uint64_t n)
{
    struct log_slot *slot = &ring->slots[n & ring->mask];

    atomic_store_explicit(&slot->stamp, 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_release); /* (A) */
    return slot;
}

/* Producer: record n is whole. */
static inline void log_ring_publish(struct log_ring *ring, struct log_slot *slot, uint64_t n)
{
    atomic_store_explicit(&slot->stamp, n, memory_order_release); /* (B) */
    atomic_store_explicit(&ring->head, n, memory_order_release);  /* (C) */
}

/* Reader: copies record n; false if it is overwritten or was while we copied. */
bool log_ring_read(const struct log_ring *ring, uint64_t n, struct log_slot *copy);

#endif
