/*
 * From the rings to the wire: frames, SYNC frames, and the rules for who sends whose records.
 *
 * A writer's records are sent by one context at a time:
 * - sync: by the writer itself, in log_send_own(), unless its CPU's normal context is just doing it (`busy`);
 * - async, and what sync had to leave: by its CPU's normal context, in log_send_lane(); or as in sync, where
 *   log_push() asks for it;
 * - panic: by the panicking CPU. It asks for the right to the wire (owner.h), which everybody then needs.
 * A record counts as sent when its frame went out whole. Else it stays, and goes again in the next frame.
 */
#ifndef LOG_SEND_H
#define LOG_SEND_H

#include <stdbool.h>
#include "log/writer.h"

/* What waits in our own ring. The context that `self` names. */
void log_send_own(struct log_writer *self);

/* At most `max_records` of what waits in the rings of self's CPU. */
void log_send_lane(struct log_writer *self, unsigned max_records);

/* One frame of `writer`, after a SYNC where one is due; returns how many records it held. */
unsigned log_send_frame(struct log_writer *self, struct log_writer *writer, unsigned max_records);

/* How many records for the wire `writer` has. */
static inline uint32_t log_waiting(const struct log_writer *writer)
{
    return log_get(writer->serial) - log_get(writer->taken);
}

#endif
