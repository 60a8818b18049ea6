/* See hang.h. */
#include "core/hang.h"
#include "core/doorbell.h"
#include "core/limit.h"
#include "core/panic.h"
#include "core/x86/asm.h"
#include "core/x86/clock.h"
#include "core/x86/trap.h"

static const char *phase_of(const struct cpu *cpu)
{
    return cpu_phase_name(atomic_load_explicit(&cpu->phase, memory_order_relaxed));
}
static uint64_t phase_ms(const struct cpu *cpu)
{
    return (rdtsc() - atomic_load_explicit(&cpu->phase_since, memory_order_relaxed)) / tsc_khz;
}
static void *rip_of(struct cpu *cpu)
{
    return (void *)atomic_load(&cpu->sampled_rip);
}

void hang_awaited(struct cpu *cpu, uint64_t round, uint64_t waited_ms, uint32_t nmis_before)
{
    const char *exit = exit_name(cpu->vcpu.exit.reason);
    uint64_t guest_rip = cpu->vcpu.rip;
    if (atomic_load(&cpu->nmi_seen) == nmis_before)
        log_warn(
            "quiesce %lu: waiting %lu ms for cpu%u, rung but took no NMI (SMM, a debugger, NMIs blocked, "
            "dead?); phase %s for %lu ms, last exit %s, guest rip 0x%lx, last host rip %pS",
            round, waited_ms, cpu->index, phase_of(cpu), phase_ms(cpu), exit, guest_rip, rip_of(cpu));
    else
        log_warn("quiesce %lu: waiting %lu ms for cpu%u, took the NMI but did not park (a loop in the "
                 "host?); phase %s for %lu ms, last exit %s, guest rip 0x%lx, host rip %pS",
                 round, waited_ms, cpu->index, phase_of(cpu), phase_ms(cpu), exit, guest_rip, rip_of(cpu));
    uint64_t parked = atomic_load(&cpu->parked);
    if (atomic_load_explicit(&cpu->phase, memory_order_relaxed) == PHASE_PARKED && parked < round)
        log_warn("  cpu%u stands parked for quiesce %lu, which is over: it waits for nobody", cpu->index,
                 parked);
    log_push(); /* who waits does not come to an exit */
    atomic_store(&cpu->asked, 1);
    doorbell_ring_again(cpu);
}

void hang_parked(struct cpu *owner, uint64_t round, uint64_t parked_ms, bool ask)
{
    log_warn("quiesce %lu: parked for %lu ms, waits for cpu%u, whose phase is %s for %lu ms, last host rip "
             "%pS",
             round, parked_ms, owner->index, phase_of(owner), phase_ms(owner), rip_of(owner));
    if (!ask)
        return;
    atomic_store(&owner->asked, 1);
    doorbell_ring(owner);
}

void hang_check_sipi(struct cpu *cpu, uint64_t deadline_ms)
{
    if (atomic_load(&cpu->state) != CPU_WAIT_SIPI || !(atomic_load(&cpu->guest_start) & START_SIPI))
        return;
    uint64_t waited = rdtsc() - atomic_load_explicit(&cpu->sipi_sent, memory_order_relaxed);
    static struct limit limit;
    if (waited <= clock_ms(deadline_ms) || !limit_pass(&limit))
        return;
    log_warn("cpu%u has not taken the SIPI sent %lu ms ago; phase %s for %lu ms, last host rip %pS",
             cpu->index, waited / tsc_khz, phase_of(cpu), phase_ms(cpu), rip_of(cpu));
    atomic_store(&cpu->asked, 1);
    doorbell_ring_again(cpu);
}

void hang_nmi(struct cpu *cpu, const struct trap_frame *frame)
{
    if (!atomic_exchange(&cpu->asked, 0))
        return;
    log_warn("asked where it is: phase %s for %lu ms, last exit %s, guest rip 0x%lx", phase_of(cpu),
             phase_ms(cpu), exit_name(cpu->vcpu.exit.reason), cpu->vcpu.rip);
    backtrace(frame->rip, frame->rbp);
    log_push(); /* this CPU may never come to an exit again */
}
