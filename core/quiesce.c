/* See quiesce.h: states, steps and their argument. */
#include "core/quiesce.h"
#include "core/doorbell.h"
#include "core/hang.h"
#include "core/panic.h"
#include "core/stall.h"
#include "core/x86/asm.h"
#include "core/x86/clock.h"

enum { YIELD_TRIES = 1000, PUMP_RECORDS = 16 };

uint64_t quiesce_deadline_ms = 2000;
_Atomic bool quiesce_parks_spin;

static _Atomic uint32_t owner;  /* CPU + 1; 0: free */
static _Atomic uint32_t losers; /* bit n: CPU n lost the race for the machine, and will try again */
static _Atomic uint32_t next;   /* CPU + 1 of the loser that goes first; 0: none */
static _Atomic uint64_t released;
static _Atomic uint32_t reports; /* of deadlines that have passed: who is parked adds where it stands */
static struct yield {
    uint32_t to, tries;
} yields[MAX_CPUS]; /* each by its own CPU only */

uint64_t quiesce_rounds(void)
{
    return atomic_load_explicit(&released, memory_order_relaxed);
}

bool quiesce_wanted(const struct cpu *cpu)
{
    return atomic_load(&cpu->request) > atomic_load(&released); /* step 5 */
}

static bool stopped(struct cpu *cpu, uint64_t round)
{
    uint32_t state = atomic_load(
        &cpu->state); /* C: after the request and the fence of step 3; pairs with D in guest/start.c */
    return state != CPU_RUNNING || atomic_load_explicit(&cpu->parked, memory_order_acquire) == round;
}

/* Does nothing move any more but the owner? Then nobody would see it hang: whoever finds this stays awake. Of
 * those that park last, at least one does, since each stores before it looks. */
static bool last_to_park(const struct cpu *self, uint64_t round)
{
    uint32_t holder = atomic_load(&owner);
    for (unsigned i = 0; i < cpu_count; i++)
        if (&cpus[i] != self && i + 1 != holder && !stopped(&cpus[i], round))
            return false;
    return true;
}

/* In the owner's place, which may have died: all others but it, or those alone that have not parked. */
static void ring_others(const struct cpu *self, uint64_t round, bool parked_too)
{
    uint32_t holder = atomic_load(&owner);
    for (unsigned i = 0; i < cpu_count; i++)
        if (&cpus[i] != self && i + 1 != holder && (parked_too || !stopped(&cpus[i], round)))
            doorbell_ring(&cpus[i]);
}

/* What a parked CPU says when a deadline has passed: its own, if it is awake, or another one's. */
static void say_parked(uint64_t round, uint64_t since, bool awake)
{
    uint32_t holder = atomic_load(&owner);
    if (holder)
        hang_parked(&cpus[holder - 1], round, (rdtsc() - since) / tsc_khz, awake);
}

void quiesce_park(struct cpu *cpu)
{
    uint64_t round = atomic_load(&cpu->request), since = rdtsc(), said = since;
    uint32_t reported = atomic_load(&reports);
    cpu_set_phase(cpu, PHASE_PARKED);
    log_debug("quiesce %lu: parked", round);
    atomic_store(&cpu->parked, round); /* pairs with the acquire in stopped() */
    stall_at(cpu, STALL_PARKED);
    if (atomic_load(&losers) >> cpu->index & 1)
        ring_others(cpu, round, false);
    bool awake = last_to_park(cpu, round) || quiesce_parks_spin;
    if (!awake)
        atomic_store(&cpu->halts, 1); /* E: sequentially consistent with the load below, against F */
    for (;;) {
        uint32_t seen = atomic_load(&cpu->nmi_seen); /* before the look: a doorbell from here on changes it */
        if (atomic_load(&released) >= round)
            break;
        panic_poll();
        if (awake && rdtsc() - said > clock_ms(quiesce_deadline_ms)) {
            said = rdtsc();
            atomic_fetch_add(&reports, 1);
            ring_others(cpu, round, true);
        }
        if (atomic_load(&reports) != reported) {
            reported = atomic_load(&reports);
            say_parked(round, since, awake);
        }
        if (!log_pump(cpu->index, PUMP_RECORDS) && !awake)
            cpu_wait(&cpu->nmi_seen, seen);
        else
            cpu_relax();
    }
    atomic_store_explicit(&cpu->halts, 0, memory_order_relaxed);
}

/* The deadline has passed: names who keeps the machine from standing still, and has the others say where they
 * are. */
static void report(struct cpu *self, uint64_t round, uint64_t start, const uint32_t nmis[])
{
    uint64_t waited_ms = (rdtsc() - start) / tsc_khz;
    atomic_fetch_add(&reports, 1);
    for (unsigned i = 0; i < cpu_count; i++) {
        if (&cpus[i] == self || atomic_load(&cpus[i].state) != CPU_RUNNING)
            continue;
        if (stopped(&cpus[i], round))
            doorbell_ring(&cpus[i]); /* it may have halted */
        else
            hang_awaited(&cpus[i], round, waited_ms, nmis[i]);
    }
}

/* Is it somebody else's turn? Bounded: after YIELD_TRIES the claim is taken for stale and dropped. */
static bool others_turn(struct cpu *self)
{
    uint32_t claim = atomic_load(&next);
    struct yield *mine = &yields[self->index];
    if (claim == 0 || claim == self->index + 1) {
        mine->to = 0; /* what was waited for is over: the tries of another claim start anew */
        return false;
    }
    if (mine->to != claim)
        *mine = (struct yield){.to = claim};
    if (mine->tries++ < YIELD_TRIES)
        return true;
    atomic_fetch_and(&losers, ~(1u << (claim - 1)));
    atomic_compare_exchange_strong(&next, &claim, 0);
    return false;
}

/* The loser that goes next, going round from us: CPU + 1, or 0. */
static uint32_t next_loser(const struct cpu *self)
{
    uint32_t waiting = atomic_load(&losers);
    for (unsigned i = 1; i < cpu_count; i++) {
        unsigned cpu = (self->index + i) % cpu_count;
        if (waiting >> cpu & 1)
            return cpu + 1;
    }
    return 0;
}

int quiesce_begin(struct vcpu *vcpu)
{
    struct cpu *self = vcpu->cpu;
    uint32_t me = self->index + 1, expected = 0;
    if (others_turn(self))
        return -E_AGAIN;
    if (!atomic_compare_exchange_strong(&owner, &expected, me)) { /* step 1 */
        atomic_fetch_or(&losers, 1u << self->index);
        return -E_AGAIN;
    }
    atomic_fetch_and(&losers, ~(1u << self->index));
    atomic_store(&next, 0);

    cpu_set_phase(self, PHASE_QUIESCING);
    uint64_t round = atomic_load(&released) + 1;
    log_debug("quiesce %lu begins", round);
    uint32_t nmis[MAX_CPUS];
    for (unsigned i = 0; i < cpu_count; i++) {
        nmis[i] = atomic_load(&cpus[i].nmi_seen);
        if (&cpus[i] != self)
            atomic_store(&cpus[i].request, round); /* step 2 */
    }
    atomic_thread_fence(memory_order_seq_cst); /* step 3 */
    stall_at(self, STALL_DOORBELL);
    for (unsigned i = 0; i < cpu_count; i++) {
        if (&cpus[i] != self && !stopped(&cpus[i], round))
            doorbell_ring(&cpus[i]);
        hang_check_sipi(&cpus[i], quiesce_deadline_ms);
    }

    uint64_t start = rdtsc(), deadline = start + clock_ms(quiesce_deadline_ms);
    for (unsigned i = 0; i < cpu_count; i++) {
        while (&cpus[i] != self && !stopped(&cpus[i], round)) { /* step 4 */
            panic_poll();
            cpu_relax();
            if (rdtsc() > deadline) {
                report(self, round, start, nmis);
                deadline = rdtsc() + clock_ms(quiesce_deadline_ms);
            }
        }
    }
    cpu_set_phase(self, PHASE_OWNER);
    return 0;
}

void quiesce_begin_insisting(struct vcpu *vcpu)
{
    while (quiesce_begin(vcpu)) {
        panic_poll();
        if (quiesce_wanted(vcpu->cpu))
            quiesce_park(vcpu->cpu);
    }
}

void quiesce_end(struct vcpu *vcpu)
{
    struct cpu *self = vcpu->cpu;
    uint64_t round = atomic_load(&released) + 1;
    log_debug("quiesce %lu ends", round);
    atomic_store(&released, round); /* step 7; F: then halts is read, against E: a CPU that halts late sees
                                       the release, or is rung */
    atomic_store(&next, next_loser(self));
    atomic_store(&owner, 0);
    for (unsigned i = 0; i < cpu_count; i++)
        if (&cpus[i] != self && atomic_load(&cpus[i].halts))
            doorbell_ring(&cpus[i]);
    cpu_set_phase(self, PHASE_EXIT);
}
