/*
 * The right to the wire, for when only one context may send at a time: the UART has no FIFO, or a CPU panics.
 * Who does not get it leaves its records in the ring. It is tried for; a call that promises to send (sync mode) waits
 * its turn, bounded.
 */
#ifndef LOG_OWNER_H
#define LOG_OWNER_H

#include <stdbool.h>
#include <stdint.h>
#include "log/writer.h"

enum { LOG_OWNER_STILL = 2 }; /* see owner.c */

/* A right taken, and who had it before on this CPU (a context that we interrupted, or ourselves; 0: nobody).
 */
struct log_right {
    bool held;
    uint16_t below;
};

/* From now on the right is asked for; cannot be undone before the next log_init(). */
void log_owner_require(void);
bool log_owner_required(void);
void log_owner_reset(void);

/* Tries to take the right for `self`. */
bool log_owner_try(struct log_writer *self, struct log_right *right);

/* The same, again and again for (LOG_OWNER_STILL + 1) times the patience with the UART: enough to outlast an owner that
 * has stopped. */
bool log_owner_wait(struct log_writer *self, struct log_right *right);

/* Before each byte: true if the right is still ours. Also shows the others that we are moving. */
bool log_owner_keep(struct log_writer *self);

void log_owner_release(struct log_writer *self, const struct log_right *right);

#endif
