/* See doorbell.h. */
#include "core/doorbell.h"
#include "core/x86/apic.h"

static void send_nmi(struct cpu *target)
{
    uint32_t icr = APIC_NMI << ICR_DELIVERY_SHIFT | ICR_ASSERT;
    if (!apic_send(target->apic_id, icr, this_cpu()->vcpu.icr_high)) {
        atomic_store(&target->rung, 0); /* let the next ringer try */
        log_error("doorbell to cpu%u not sent: the local APIC stays busy", target->index);
    }
}

void doorbell_ring(struct cpu *target)
{
    if (atomic_exchange(&target->rung, 1) == 0) /* A: release of what was published, pairs with B */
        send_nmi(target);
}

void doorbell_ring_again(struct cpu *target)
{
    atomic_store(&target->rung, 1);
    send_nmi(target);
}

void doorbell_taken(struct cpu *cpu, uint64_t rip)
{
    atomic_store_explicit(&cpu->sampled_rip, rip, memory_order_relaxed);
    if (atomic_exchange(&cpu->rung, 0) == 0) { /* B: acquire, pairs with A */
        atomic_store_explicit(&cpu->guest_nmi, 1, memory_order_relaxed);
        cpu->vcpu.nmis_unknown++;
    }
    /* Last: who halts on nmi_seen (cpu_wait) looks at all the rest after it has changed. */
    atomic_fetch_add(&cpu->nmi_seen, 1);
}
