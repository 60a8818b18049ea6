/*
 * An explorer of interleavings, for any C that is compiled with -fsanitize=thread and linked with hooks.c
 * instead of the sanitizer's library: each access to memory that contexts share is a place where another may
 * go on.
 *
 * A scenario has a few contexts (CPUs, or an NMI on top of one). Each run resets the world, lets the contexts
 * run to their ends by some schedule, and asks for a verdict. Runs are repeated, one thread, no clock: a
 * schedule is a list of decisions, so that each failure can be shown and comes again.
 *
 *     bounded   all schedules with at most so many preemptions
 *     random    deep schedules that switch often, from a fixed seed
 *     stopped   as bounded, with one context that stops for good at each of its places in turn
 *
 * Only accesses to memory that two contexts touch, one of them writing, are decided upon: no other order can
 * be seen. Which these are is learnt on the way, and a search starts again when it has learnt more. Memory is
 * sequentially consistent here; what a weaker order allows is not explored.
 */
#ifndef LOG_EXPLORER_H
#define LOG_EXPLORER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EXPLORER_CONTEXTS = 6 };

struct explorer_context {
    const char *name;
    void (*run)(void);
    int on; /* -1, or the context that this one interrupts, like an NMI: that one stands still until it ends
             */
    bool may_stop;
};

struct explorer_scenario {
    const char *name;
    unsigned count;
    struct explorer_context context[EXPLORER_CONTEXTS];
    unsigned long
        steps_max; /* instrumented accesses and explorer_point()s that any context may take in a run */
    void (*reset)(void);
    /* Everybody who can run waits: time passes, or a device moves. False if nothing can change: a deadlock.
     */
    bool (*idle)(void);
    /* After the last context has ended or stopped: NULL, or what is wrong. `stopped` is -1 or a context. */
    const char *(*verdict)(int stopped);
};

struct explorer_result {
    unsigned long runs, points; /* points: decisions of the longest run */
    unsigned long steps;        /* most that a context took */
    char failure[400];          /* empty: none found. What is wrong, and the schedule that leads there. */
};

/* All schedules with at most `preemptions`; `stop` is -1 or the context to stop at each of its places. */
struct explorer_result explore_bounded(const struct explorer_scenario *scenario, unsigned preemptions,
                                       int stop);
struct explorer_result explore_random(const struct explorer_scenario *scenario, unsigned long runs);

/* For what a scenario supplies, called inside contexts. */
int explorer_self(void);         /* the context that runs; -1 outside of runs */
void explorer_point(bool moves); /* a place to switch: a port, say; true if others may have waited for it */
void explorer_wait(void);        /* nothing to do until another moves: in loops that spin */
void explorer_fail(const char *what); /* the run has failed; does not return inside a context */

/* For hooks.c: an access is about to happen. */
void explorer_access(const void *address, size_t size, bool write);

#endif
