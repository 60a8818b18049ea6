/*
 * The log's surroundings in the explorer: contexts of two CPUs, a UART whose ports are places to switch and
 * which sends only when everybody waits (the worst case for its FIFO), and a clock that the scenario moves.
 */
#ifndef LOG_EXPLORER_WORLD_H
#define LOG_EXPLORER_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include "log/explorer/explorer.h"
#include "log/log.h"
#include "log/ring.h"

enum { WORLD_CPUS = 2, WORLD_SLOTS = 2 };

extern unsigned world_overruns; /* bytes that the UART lost */
extern uint64_t world_tick;     /* what each reading of the clock adds */

/* Which writer each of the scenario's contexts is. */
struct world_writer {
    unsigned cpu;
    enum log_context context;
};

/* Fresh rings of `slots` slots; with a wire if `depth` is not 0 (16: a 16550A; 1: a 16450). */
void world_reset(const struct world_writer *writers, enum log_mode mode, unsigned depth, unsigned slots);
bool world_idle(void);
void world_pass(uint64_t ticks);

/* In a context: makes its record number 1, 2, ... */
void world_say(void);

/* Before a run, in reset(): the same for context `who`. */
void world_say_before(unsigned who);

/*
 * After a run, with all that still waits sent: NULL if what came over the wire is right. Each record that was published
 * is there, in order, or counted: as dropped, or by a gap where a frame is spoilt. At most `cut` frames may be spoilt.
 * A record may come again only if `twice`.
 */
const char *world_judge_wire(unsigned cut, bool twice);

/* NULL if `slot` is record `n` of what context `who` made. */
const char *world_judge_slot(const struct log_slot *slot, uint64_t n, unsigned who);

#endif
