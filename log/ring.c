/* The reader's side of the rings; the protocol is in ring.h. */
#include "log/ring.h"

/*
 * The copy races with the producer by design: what it read is used only if the stamp says that nothing
 * changed. So the thread sanitizer is told not to look at this one function.
 */
__attribute__((no_sanitize("thread"))) bool log_ring_read(const struct log_ring *ring, uint64_t n,
                                                          struct log_slot *copy)
{
    const struct log_slot *slot = &ring->slots[n & ring->mask];

    if (atomic_load_explicit(&slot->stamp, memory_order_acquire) != n) /* (B) */
        return false;
    copy->tsc = slot->tsc;
    copy->serial = slot->serial;
    copy->id = slot->id;
    copy->size = slot->size <= LOG_SLOT_PAYLOAD ? slot->size : LOG_SLOT_PAYLOAD;
    copy->level = slot->level;
    for (unsigned i = 0; i < copy->size; i++)
        copy->payload[i] = slot->payload[i];
    atomic_thread_fence(memory_order_acquire); /* (A) */
    return atomic_load_explicit(&slot->stamp, memory_order_relaxed) == n;
}
