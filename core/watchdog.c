/* See watchdog.h. */
#include "core/watchdog.h"
#include "core/doorbell.h"
#include "core/x86/asm.h"
#include "core/x86/clock.h"

uint64_t watchdog_ms = 5000;

static bool has_passed(const struct vcpu *vcpu)
{
    uint64_t end = atomic_load_explicit(&vcpu->limit_end, memory_order_relaxed);
    return end && rdtsc() >= end;
}

void vcpu_limit(struct vcpu *vcpu, bool on)
{
    atomic_store_explicit(&vcpu->limit_end, on ? rdtsc() + clock_ms(watchdog_ms) : 0, memory_order_relaxed);
}

uint64_t vcpu_limit_ms(void)
{
    return watchdog_ms;
}

void watchdog_exit(struct vcpu *vcpu, const struct exit *exit)
{
    (void)exit;
    if (has_passed(vcpu) && hypapp.overrun)
        hypapp.overrun(
            vcpu); /* if it wants to try again, the next entry comes back at once, or is rung again */
}

void watchdog_others(const struct cpu *self)
{
    if (backend->has_timer && backend->has_timer())
        return;
    for (unsigned i = 0; i < cpu_count; i++)
        if (&cpus[i] != self && has_passed(&cpus[i].vcpu))
            doorbell_ring(&cpus[i]);
}
