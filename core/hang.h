/*
 * Naming hangs: when a wait's deadline has passed, who waits says whom it waits for and where that CPU is, by
 * the words of its struct cpu, and asks it to say so itself. A CPU that takes NMIs answers from its handler,
 * with its stack; nobody waits for the answer.
 *
 * What is read of another CPU's vcpu here (last exit, guest RIP) may be changing: it is told, never acted on.
 */
#ifndef CORE_HANG_H
#define CORE_HANG_H

#include "core/cpu.h"

struct trap_frame;

/* The owner of a stop awaits `cpu`. nmis_before: its nmi_seen when the wait began. Rings again. */
void hang_awaited(struct cpu *cpu, uint64_t round, uint64_t waited_ms, uint32_t nmis_before);
/* This CPU is parked, and `owner` does not let the machine go; asks it, or leaves that to another one. */
void hang_parked(struct cpu *owner, uint64_t round, uint64_t parked_ms, bool ask);
/* Names a CPU that waits for a SIPI and has not taken the one that was sent more than deadline_ms ago. Nobody
 * waits for it, so who stops the machine looks. */
void hang_check_sipi(struct cpu *cpu, uint64_t deadline_ms);
/* The NMI handler's part: if this CPU was asked, it says what was interrupted. NMI context. */
void hang_nmi(struct cpu *cpu, const struct trap_frame *frame);

#endif
