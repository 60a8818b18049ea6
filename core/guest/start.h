/*
 * INIT and SIPI of the guest's CPUs. Both are in one word of the target's mail box, guest_start; the target
 * acts at its boundary.
 *
 *   sender of INIT    guest_start = START_INIT; ring. A SIPI from before is gone
 *   sender of SIPI    if START_INIT is set or the target is in WAIT_SIPI: guest_start gets START_SIPI and the
 *                     vector, beside START_INIT; ring
 *   target, running   START_INIT seen: state = WAIT_SIPI, then START_INIT is taken away; a SIPI behind it stays
 *   target, waiting   takes the whole word; with a SIPI in it: state = RUNNING by an exchange, then it looks at
 *                     its requests again
 *
 * One word, because INIT and SIPI may both arrive between two looks: with a word each, the target could leave
 * with the SIPI and then obey the INIT that came before it (model/ finds that). The state is set before
 * START_INIT goes, so a SIPI right behind an INIT never finds both unset. The exchange pairs with quiesce.c's
 * fence (D, C).
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
