/* See start.h. */
#include "core/guest/start.h"
#include "core/doorbell.h"
#include "core/guest/lapic.h"
#include "core/panic.h"
#include "core/quiesce.h"

enum { PUMP_RECORDS = 16 };

void start_init(struct cpu *target)
{
    log_debug("INIT to cpu%u", target->index);
    atomic_store(&target->guest_sipi, 0);
    atomic_store(&target->guest_init, 1);
    if (target != this_cpu())
        doorbell_ring(target);
}

void start_sipi(struct cpu *target, uint8_t vector)
{
    if (!atomic_load(&target->guest_init) && atomic_load(&target->state) != CPU_WAIT_SIPI)
        return; /* a running CPU ignores it: guests send two */
    log_debug("SIPI to cpu%u, vector 0x%x", target->index, vector);
    atomic_store(&target->guest_sipi, SIPI_VALID | vector);
    doorbell_ring(target);
}

void start_take_init(struct vcpu *vcpu)
{
    struct cpu *cpu = vcpu->cpu;
    if (vcpu->app && hypapp.cpu_reset) {
        quiesce_begin_insisting(vcpu);
        hypapp.cpu_reset(vcpu);
        views_changed();
        quiesce_end(vcpu);
    }
    atomic_store(&cpu->state, CPU_WAIT_SIPI);
    atomic_store(&cpu->guest_init, 0);
    atomic_store(&cpu->guest_nmi, 0);
    backend->reset(vcpu);
    lapic_reset(vcpu);
    log_info("INIT: waits for SIPI");
}

void start_wait_sipi(struct vcpu *vcpu)
{
    struct cpu *cpu = vcpu->cpu;
    uint32_t sipi;
    cpu_set_phase(cpu, PHASE_WAIT_SIPI);
    for (;;) {
        uint32_t seen = atomic_load(&cpu->nmi_seen);
        atomic_store(&cpu->guest_init,
                     0); /* one more INIT changes nothing; first, so that the SIPI behind it is kept */
        sipi = atomic_exchange(&cpu->guest_sipi, 0);
        if (sipi & SIPI_VALID)
            break;
        panic_poll();
        if (!log_pump(cpu->index, PUMP_RECORDS))
            cpu_wait(&cpu->nmi_seen, seen);
    }
    atomic_store(&cpu->guest_nmi, 0); /* NMIs to a CPU in this state are dropped */
    atomic_exchange(&cpu->state,
                    CPU_RUNNING); /* D: then the boundary looks at request; pairs with C in quiesce.c */
    cpu_set_phase(cpu, PHASE_BOUNDARY);
    backend->set_sipi(vcpu, (uint8_t)sipi);
    log_info("SIPI: starts at 0x%x", (sipi & 0xFFu) << 12);
}
