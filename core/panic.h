/*
 * When the hypervisor itself is broken: say so, have the others say where they are, and stop. The simplest
 * path there is.
 *
 * panic_word is sticky: 0, or the panicking CPU's index + 1. Every wait in the hypervisor polls it
 * (panic_poll), and the boundary does. Nobody waits for an answer: the panicking CPU gives the others a while,
 * sends a second NMI on which a CPU's handler itself reports and stops, gives them a while again, names those
 * that have not stopped, and flushes the log.
 */
#ifndef CORE_PANIC_H
#define CORE_PANIC_H

#include "core/cpu.h"

struct trap_frame;

/* Any context. Call panic_enter, log what happened, then panic_finish. A fault inside a panic gets a line of
 * its own, and the CPU stops: panic_enter does not return. */
void panic_enter(const struct trap_frame *frame);
_Noreturn void panic_finish(const struct trap_frame *frame);
extern _Atomic uint32_t panic_word;
static inline bool panic_called(void)
{
    return atomic_load_explicit(&panic_word, memory_order_relaxed);
}
/* Stops this CPU if another one has panicked. Normal context. */
void panic_poll(void);
/* The NMI handler's part: on the second NMI since a panic it does not return. */
void panic_nmi(const struct trap_frame *frame);

/* The return addresses from frame pointer rbp up, to the log, as far as they stand on this CPU's stacks. */
void backtrace(uint64_t rip, uint64_t rbp);

#endif
