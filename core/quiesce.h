/*
 * Stopping all other CPUs. Used through hypapp.h's quiesce_begin and quiesce_end; the rest is for the
 * boundary (vcpu.c). model/ checks what is said here.
 *
 * States: the machine is free (owner = 0) or held (owner = CPU + 1). Rounds are numbered from 1 and never
 * reused; `released` is the last round that is over. A CPU has to be parked while its request > released.
 *
 *   The owner
 *     1  owner: compare-and-swap 0 -> me, else -E_AGAIN
 *     2  r = released + 1; request[c] = r for all other c
 *     3  fence; doorbell to each c
 *     4  waits for each c: parked == r, or c waits for SIPI
 *     7  released = r; owner = 0; doorbell to each c that halts
 *
 *   Every other CPU, at its boundary, NMIs held
 *     5  request > released? No: enters the guest
 *     6  Yes: NMIs open; parked = request; waits until released >= request; 5 again
 *
 * - A CPU parks only at 5, so never while it holds, or is in the middle of, anything of the hypervisor's.
 * - Between 5 and the entry NMIs are held (CLGI): a doorbell after 5 ends the guest at once (APM vol. 2,
 *   15.21.8), and the CPU comes back to 5. A doorbell before 5: its request was published earlier
 *   (doorbell.h), so 5 sees it.
 * - A CPU that waits for SIPI waits in the host, and is not awaited. It leaves that state by an exchange and
 *   goes to 5; the owner publishes, fences and then tests the state, at every poll: one of the two sees the
 *   other (C, D).
 * - The release uses the round's number, not a flag: a CPU slow to leave 6 finds released >= its request even
 *   if the next round has begun, and parks for that one by its new request.
 * - A loser of 1 has changed nothing. Its guest instruction is executed again; the owner's request parks it
 *   at 5 meanwhile. It is remembered in `losers`, and each owner names the next of them, going round, as it
 *   lets go: the others leave the machine to that one. So a loser that keeps trying waits for one round of
 *   each other CPU at most. A claim is dropped after YIELD_TRIES tries of others: its guest went elsewhere.
 * - Every wait has a deadline, at which it reports who is where (hang.h), rings again and goes on waiting. It
 *   never proceeds unacknowledged. The owner watches those that it awaits. Parked CPUs halt, and cannot watch
 *   the owner: only the last one to park stays awake, which costs nobody time but the owner. A loser, before it
 *   waits, rings for the owner, which may have died before it did: so there is a last one.
 */
#ifndef CORE_QUIESCE_H
#define CORE_QUIESCE_H

#include "core/cpu.h"

/* Must this CPU park before it enters the guest? Any context of its own CPU. */
bool quiesce_wanted(const struct cpu *cpu);
/* Step 6. Normal context, NMIs open, at the boundary. */
void quiesce_park(struct cpu *cpu);
/* quiesce_begin for what cannot be executed again: parks for others in between, for one round of each at most.
 * Boundary and exits. */
void quiesce_begin_insisting(struct vcpu *vcpu);
uint64_t quiesce_rounds(void);

extern uint64_t quiesce_deadline_ms;    /* boot option deadline= */
extern _Atomic bool quiesce_parks_spin; /* for measurements (selftest.h): who parks does not halt */

#endif
