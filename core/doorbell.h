/*
 * The doorbell: an NMI that makes a CPU look at its mail box (cpu.h). Nobody counts doorbells or waits for one.
 *
 * The protocol, between any number of ringers and one target (model/ checks it):
 *     ringer   publish; if exchange(rung, 1) == 0: send the NMI
 *     target   NMI: was = exchange(rung, 0); nmi_seen++
 *              later, at its boundary: look at everything that can be published
 *
 * - Nothing is missed. A ringer that finds rung = 1 sends nothing: the target has not exchanged yet, its
 *   exchange reads this ringer's value or a later one, so its look comes after the publication (A pairs
 *   with B).
 * - Nothing is invented. Each change of rung from 0 to 1 sends one NMI, and the next is sent only after a
 *   handler exchanged it back. So an NMI whose handler finds rung = 0 is none of ours: it is the guest's, from
 *   a source that does not pass the ICR (a button, QEMU's inject-nmi). If such an NMI is taken for a doorbell
 *   because it comes first, the doorbell, coming second, is taken for it.
 * - What is lost: an outside NMI that the CPU's latch merges with a doorbell. Those that guest CPUs send go
 *   through the ICR, so through guest_nmi, and cannot be lost so. Only doorbell_ring_again, after a deadline
 *   of seconds, may invent one.
 */
#ifndef CORE_DOORBELL_H
#define CORE_DOORBELL_H

#include "core/cpu.h"

/* Makes target look. Publish first. Normal context (it uses the ICR). */
void doorbell_ring(struct cpu *target);
/* Sends the NMI whatever rung says: when a deadline has passed, and in a panic. Normal and panic context. */
void doorbell_ring_again(struct cpu *target);
/* The NMI handler's part. NMI context. */
void doorbell_taken(struct cpu *cpu, uint64_t rip);

#endif
