/* See start.h. */
#include "core/guest/start.h"
#include "core/doorbell.h"
#include "core/guest/lapic.h"
#include "core/panic.h"
#include "core/quiesce.h"
#include "core/stall.h"
#include "core/x86/asm.h"

enum { PUMP_RECORDS = 16 };

void start_init(struct cpu *target)
{
    log_debug("INIT to cpu%u", target->index);
    atomic_store(&target->guest_start, START_INIT);
    if (target != this_cpu())
        doorbell_ring(target);
}

void start_sipi(struct cpu *target, uint8_t vector)
{
    uint32_t word = atomic_load(&target->guest_start);
    do { /* again only when another CPU's INIT or SIPI, or the target's taking one, came between */
        if (!(word & START_INIT) && atomic_load(&target->state) != CPU_WAIT_SIPI)
            return; /* a running CPU ignores it: guests send two */
    } while (!atomic_compare_exchange_weak(&target->guest_start, &word,
                                           (word & START_INIT) | START_SIPI | vector));
    atomic_store_explicit(&target->sipi_sent, rdtsc(), memory_order_relaxed);
    log_debug("SIPI to cpu%u, vector 0x%x", target->index, vector);
    doorbell_ring(target);
}

void start_take_init(struct vcpu *vcpu)
{
    struct cpu *cpu = vcpu->cpu;
    if (vcpu->app && hypapp.cpu_reset) {
        quiesce_begin_insisting(vcpu);
        hypapp.cpu_reset(vcpu);
        quiesce_end(vcpu);
    }
    atomic_store(&cpu->state, CPU_WAIT_SIPI);
    atomic_fetch_and(&cpu->guest_start, ~(uint32_t)START_INIT);
    backend->reset(vcpu);
    lapic_reset(vcpu);
    log_info("INIT: waits for SIPI");
}

void start_wait_sipi(struct vcpu *vcpu)
{
    struct cpu *cpu = vcpu->cpu;
    uint32_t word;
    cpu_set_phase(cpu, PHASE_WAIT_SIPI);
    for (;;) {
        stall_at(cpu, STALL_SIPI);
        uint32_t seen = atomic_load(&cpu->nmi_seen);
        atomic_store(&cpu->guest_nmi, 0); /* NMIs to a CPU in this state are dropped */
        word = atomic_exchange(&cpu->guest_start, 0);
        if (word & START_SIPI)
            break;
        panic_poll();
        if (!log_pump(cpu->index, PUMP_RECORDS))
            cpu_wait(&cpu->nmi_seen, seen);
    }
    atomic_exchange(&cpu->state,
                    CPU_RUNNING); /* D: then the boundary looks at request; pairs with C in quiesce.c */
    stall_at(cpu, STALL_SIPI_TAKEN);
    cpu_set_phase(cpu, PHASE_BOUNDARY);
    backend->set_sipi(vcpu, (uint8_t)word);
    log_info("SIPI: starts at 0x%x", (word & 0xFFu) << 12);
}
