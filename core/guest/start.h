/*
 * INIT and SIPI of the guest's CPUs. Both are words in the target's mail box; the target acts at its
 * boundary.
 *
 *   sender of INIT:  guest_sipi = 0, guest_init = 1, ring        sender of SIPI: if guest_init or WAIT_SIPI:
 * guest_sipi = vector, ring target:          state = WAIT_SIPI, then guest_init = 0; wait for guest_sipi;
 * state = RUNNING by an exchange, then look at its requests again
 *
 * The state is set before guest_init is cleared, so that a SIPI right behind an INIT never finds both unset.
 * The exchange pairs with quiesce.c's fence (D, C).
 */
#ifndef CORE_GUEST_START_H
#define CORE_GUEST_START_H

#include "core/cpu.h"

/* Sender's part. Normal context. */
void start_init(struct cpu *target);
void start_sipi(struct cpu *target, uint8_t vector);
/* Target's part, at the boundary: takes INIT's effect; waits for SIPI in the host and takes its effect. */
void start_take_init(struct vcpu *vcpu);
void start_wait_sipi(struct vcpu *vcpu);

#endif
