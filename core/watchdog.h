/*
 * The watchdog of isolated code: what the hypapp lets run where the guest cannot interrupt it ends by itself,
 * or is ended.
 *
 * A vcpu's limit is a time, in limit_end: written by its own CPU, read by all. It is looked at when the vcpu
 * exits for the timer or an NMI, and who brings that about differs:
 *
 * - VMX: the preemption timer, loaded with the rest at each entry. Exact, and with one CPU as well.
 * - No such timer (SVM): the other CPUs, at each write of theirs to a local APIC (an EOI, an IPI), look whether
 *   somebody's limit has passed, and ring. So it ends at the next interrupt that another CPU of the guest
 *   takes, which is mostly a timer's tick; a guest with one CPU, or all of whose other CPUs sleep, has no limit.
 */
#ifndef CORE_WATCHDOG_H
#define CORE_WATCHDOG_H

#include "core/cpu.h"

extern uint64_t watchdog_ms; /* boot option isolated= */

/* The handler of EXIT_TIMER and EXIT_NMI: asks the hypapp if the limit has passed. */
void watchdog_exit(struct vcpu *vcpu, const struct exit *exit);
/* Rings the CPUs whose limit has passed, where no timer does. Normal context. */
void watchdog_others(const struct cpu *self);

#endif
