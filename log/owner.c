/*
 * One word: epoch << 16 | owner, owner 0 = free. Each change is a CAS that also raises the epoch, so the word
 * never has an old value again, and an owner that moves shows it.
 *
 * Free: taken by CAS.
 *
 * Held by a lower context of this CPU: it stands still until we return, so we take it over and give it back.
 *
 * Held by another CPU: not now. If the word has not changed for LOG_OWNER_STILL times the patience with the
 * UART (which a live owner may be waiting for) since we first saw it so, its owner is stopped or dead: taken
 * over. A stale owner that wakes up looks before each byte; it may be past that look, so it adds one stray
 * byte at most.
 *
 * A CAS that fails because another CPU moved is not repeated by who only tries; who waits gives up by the
 * clock, so that nobody can be starved into waiting here for good: its records stay in the ring. All orders are
 * relaxed: the word guards the port only, no memory.
 */
#include "log/owner.h"
#include "log/uart.h"
#include "log_env.h"

enum { OWNER_BITS = 16 };
/* An owner's CAS fails if a nested context took the right and gave it back meanwhile: so a few tries. */
enum { TRIES = 4 };

static _Atomic uint64_t word;
static _Atomic bool required;

static uint16_t owner_of(uint64_t value)
{
    return (uint16_t)value;
}
static uint16_t name_of(const struct log_writer *self)
{
    return (uint16_t)((self->cpu << 2 | self->context) + 1);
}

static bool change(uint64_t from, uint16_t owner)
{
    const uint64_t to = ((from >> OWNER_BITS) + 1) << OWNER_BITS | owner;

    return atomic_compare_exchange_strong_explicit(&word, &from, to, memory_order_relaxed,
                                                   memory_order_relaxed);
}

void log_owner_require(void)
{
    log_set(required, true);
}
bool log_owner_required(void)
{
    return log_get(required);
}

void log_owner_reset(void)
{
    log_set(required, false);
    log_set(word, 0);
}

bool log_owner_try(struct log_writer *self, struct log_right *right)
{
    const uint64_t value = log_get(word);
    const uint16_t owner = owner_of(value), name = name_of(self);
    const bool ours = owner != 0 && (owner - 1) >> 2 == self->cpu && owner <= name;

    right->below = ours ? owner : 0;
    right->held = false;
    if (owner == 0 || ours) {
        right->held = change(value, name);
    } else if (value != self->owner_seen) {
        self->owner_seen = value;
        self->owner_since = log_clock();
    } else if (log_clock() - self->owner_since > LOG_OWNER_STILL * log_uart.patience) {
        right->held = change(value, name);
    }
    return right->held;
}

bool log_owner_wait(struct log_writer *self, struct log_right *right)
{
    const uint64_t start = log_clock();

    while (!log_owner_try(self, right)) {
        if (log_clock() - start > (LOG_OWNER_STILL + 1) * log_uart.patience)
            return false;
        log_relax();
    }
    return true;
}

bool log_owner_keep(struct log_writer *self)
{
    /* The CAS fails if a nested context took the right and gave it back between: then once more, and no more.
     */
    for (unsigned tries = 0; tries < 2; tries++) {
        const uint64_t value = log_get(word);

        if (owner_of(value) != name_of(self))
            return false;
        if (change(value, name_of(self)))
            return true;
    }
    return false;
}

void log_owner_release(struct log_writer *self, const struct log_right *right)
{
    if (!right->held)
        return;
    /* Whom we interrupted may have read THRE = 1 already: make that true again. */
    if (right->below != 0 && right->below != name_of(self))
        (void)log_uart_wait();
    for (unsigned tries = 0; tries < TRIES; tries++) {
        const uint64_t value = log_get(word);

        if (owner_of(value) != name_of(self) || change(value, right->below))
            return;
    }
}
