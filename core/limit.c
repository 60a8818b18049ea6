/* See limit.h. */
#include "core/limit.h"
#include "core/x86/asm.h"
#include "core/x86/clock.h"

enum { LINES_A_SECOND = 50, SECOND_MS = 1000 };

bool limit_pass(struct limit *limit)
{
    uint64_t now = rdtsc();
    if (now - atomic_load_explicit(&limit->since, memory_order_relaxed) > clock_ms(SECOND_MS)) {
        atomic_store_explicit(&limit->since, now, memory_order_relaxed);
        uint32_t count = atomic_exchange_explicit(&limit->count, 0, memory_order_relaxed);
        if (count > LINES_A_SECOND)
            log_warn("%u lines like the next were left out", count - LINES_A_SECOND);
    }
    return atomic_fetch_add_explicit(&limit->count, 1, memory_order_relaxed) < LINES_A_SECOND;
}
