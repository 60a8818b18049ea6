/* See quiesce.h: states, steps and their argument. */
#include "core/quiesce.h"
#include "core/doorbell.h"
#include "core/panic.h"
#include "core/x86/asm.h"
#include "core/x86/clock.h"

enum { YIELD_TRIES = 1000, PUMP_RECORDS = 16 };

uint64_t quiesce_deadline_ms = 2000;

static _Atomic uint32_t owner;  /* CPU + 1; 0: free */
static _Atomic uint32_t losers; /* bit n: CPU n lost the race for the machine, and will try again */
static _Atomic uint32_t next;   /* CPU + 1 of the loser that goes first; 0: none */
static _Atomic uint64_t released;
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

void quiesce_park(struct cpu *cpu)
{
    uint64_t round = atomic_load(&cpu->request);
    cpu_set_phase(cpu, PHASE_PARKED);
    log_debug("quiesce %lu: parked", round);
    atomic_store(&cpu->parked, round); /* E: sequentially consistent with the load below, against F; pairs
                                          with the acquire in stopped() */
    for (;;) {
        uint32_t seen = atomic_load(&cpu->nmi_seen); /* before the look: a doorbell from here on changes it */
        if (atomic_load(&released) >= round)
            break;
        panic_poll();
        if (!log_pump(cpu->index, PUMP_RECORDS))
            cpu_wait(&cpu->nmi_seen, seen);
    }
}

static bool stopped(struct cpu *cpu, uint64_t round)
{
    uint32_t state = atomic_load(
        &cpu->state); /* C: after the request and the fence of step 3; pairs with D in guest/start.c */
    return state != CPU_RUNNING || atomic_load_explicit(&cpu->parked, memory_order_acquire) == round;
}

/* Names who keeps the machine from standing still, and rings again. */
static void report(struct cpu *cpu, uint64_t round, uint64_t waited_ms, uint32_t nmis_before)
{
    uint64_t phase_ms = (rdtsc() - atomic_load_explicit(&cpu->phase_since, memory_order_relaxed)) / tsc_khz;
    const char *phase = cpu_phase_name(atomic_load_explicit(&cpu->phase, memory_order_relaxed));
    if (atomic_load(&cpu->nmi_seen) == nmis_before)
        log_warn("quiesce %lu: waiting %lu ms for cpu%u, rung but took no NMI (SMM, GIF = 0, dead?); phase "
                 "%s for %lu ms, last rip %pS",
                 round, waited_ms, cpu->index, phase, phase_ms, (void *)atomic_load(&cpu->sampled_rip));
    else
        log_warn("quiesce %lu: waiting %lu ms for cpu%u, took the NMI but did not park (a loop in the "
                 "host?); phase %s for %lu ms, rip %pS",
                 round, waited_ms, cpu->index, phase, phase_ms, (void *)atomic_load(&cpu->sampled_rip));
    doorbell_ring_again(cpu);
}

/* Is it somebody else's turn? Bounded: after YIELD_TRIES the claim is taken for stale and dropped. */
static bool others_turn(struct cpu *self)
{
    uint32_t claim = atomic_load(&next);
    struct yield *mine = &yields[self->index];
    if (claim == 0 || claim == self->index + 1)
        return false;
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
    uint32_t nmis[MAX_CPUS];
    for (unsigned i = 0; i < cpu_count; i++) {
        nmis[i] = atomic_load(&cpus[i].nmi_seen);
        if (&cpus[i] != self)
            atomic_store(&cpus[i].request, round); /* step 2 */
    }
    atomic_thread_fence(memory_order_seq_cst); /* step 3 */
    for (unsigned i = 0; i < cpu_count; i++)
        if (&cpus[i] != self && !stopped(&cpus[i], round))
            doorbell_ring(&cpus[i]);

    uint64_t start = rdtsc(), deadline = start + clock_ms(quiesce_deadline_ms);
    for (unsigned i = 0; i < cpu_count; i++) {
        while (&cpus[i] != self && !stopped(&cpus[i], round)) { /* step 4 */
            panic_poll();
            cpu_relax();
            if (rdtsc() > deadline) {
                report(&cpus[i], round, (rdtsc() - start) / tsc_khz, nmis[i]);
                deadline = rdtsc() + clock_ms(quiesce_deadline_ms);
            }
        }
    }
    cpu_set_phase(self, PHASE_OWNER);
    log_debug("quiesce %lu begins", round);
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
    atomic_store(&released, round); /* step 7; F: then parked is read, against E: a CPU that parks late sees
                                       the release, or is rung */
    atomic_store(&next, next_loser(self));
    atomic_store(&owner, 0);
    for (unsigned i = 0; i < cpu_count; i++)
        if (&cpus[i] != self && atomic_load(&cpus[i].parked) == round)
            doorbell_ring(&cpus[i]); /* it may have halted */
    cpu_set_phase(self, PHASE_EXIT);
}
