/* See lapic.h. Registers and destinations: SDM vol. 3, 10.6. */
#include "core/guest/lapic.h"
#include "core/cpu.h"
#include "core/doorbell.h"
#include "core/guest/insn.h"
#include "core/guest/start.h"
#include "core/limit.h"
#include "core/watchdog.h"
#include "core/x86/apic.h"
#include "core/x86/asm.h"

enum shorthand { TO_DESTINATION, TO_SELF, TO_ALL, TO_OTHERS };
enum { MAX_IN_SERVICE = 256, DESTINATION_ALL = 0xFF, DFR_FLAT = 0xF, CLUSTER_ALL = 0xF };

void lapic_start(struct vcpu *vcpu)
{
    vcpu->icr_high = *apic_register(APIC_ICR_HIGH);
    vcpu->ldr = *apic_register(APIC_LDR);
    vcpu->dfr = *apic_register(APIC_DFR);
}

void lapic_reset(struct vcpu *vcpu)
{
    *apic_register(APIC_TIMER_INITIAL) = 0;
    for (unsigned lvt = APIC_LVT_TIMER; lvt <= APIC_LVT_ERROR; lvt += 16)
        *apic_register(lvt) = APIC_LVT_MASKED;
    for (unsigned i = 0; i < MAX_IN_SERVICE; i++) { /* an EOI takes the highest one in service */
        uint32_t in_service = 0;
        for (unsigned word = 0; word < 8; word++)
            in_service |= *apic_register(APIC_IN_SERVICE + 16 * word);
        if (!in_service)
            break;
        *apic_register(APIC_EOI) = 0;
    }
    *apic_register(APIC_TPR) = 0;
    *apic_register(APIC_LDR) = 0;
    *apic_register(APIC_DFR) = 0xFFFFFFFF;
    *apic_register(APIC_SPURIOUS) = APIC_SPURIOUS_RESET;
    lapic_start(vcpu);
}

static bool logical_match(const struct cpu *cpu, uint8_t destination)
{
    uint8_t ldr = (uint8_t)(atomic_load_explicit(&cpu->vcpu.ldr, memory_order_relaxed) >> 24);
    bool flat = atomic_load_explicit(&cpu->vcpu.dfr, memory_order_relaxed) >> 28 == DFR_FLAT;
    if (destination == DESTINATION_ALL)
        return true;
    if (flat)
        return ldr & destination;
    return (destination >> 4 == CLUSTER_ALL || destination >> 4 == ldr >> 4) && destination & ldr & 0xF;
}

static bool is_target(const struct cpu *self, const struct cpu *cpu, uint32_t low, uint32_t high)
{
    uint8_t destination = (uint8_t)(high >> 24);
    switch ((enum shorthand)(low >> ICR_SHORTHAND_SHIFT & 3)) {
    case TO_SELF:
        return cpu == self;
    case TO_ALL:
        return true;
    case TO_OTHERS:
        return cpu != self;
    case TO_DESTINATION:
        break;
    }
    if (low & ICR_LOGICAL)
        return logical_match(cpu, destination);
    return destination == DESTINATION_ALL || destination == cpu->apic_id;
}

static void send_nmi(struct vcpu *vcpu, struct cpu *target)
{
    atomic_store(&target->guest_nmi, 1);
    vcpu->nmis_sent++;
    if (target != vcpu->cpu) /* our own is looked at before the next entry */
        doorbell_ring(target);
}

static void write_icr_low(struct vcpu *vcpu, uint32_t low)
{
    unsigned delivery = low >> ICR_DELIVERY_SHIFT & 7;
    if (delivery != APIC_NMI && delivery != APIC_INIT && delivery != APIC_SIPI) {
        apic_wait_idle(); /* the guest looked, but a doorbell of ours may have come between */
        *apic_register(APIC_ICR_HIGH) = vcpu->icr_high;
        *apic_register(APIC_ICR_LOW) = low;
        return;
    }
    /* INIT is never sent on: QEMU resets the CPU at once, whatever GIF and the intercept say (APM vol. 2,
     * 15.17, 15.13.4), and in Bochs it stays pending over its exit. guest/start.h does what it would. */
    for (unsigned i = 0; i < cpu_count; i++) {
        struct cpu *target = &cpus[i];
        if (atomic_load(&target->state) == CPU_ABSENT || !is_target(vcpu->cpu, target, low, vcpu->icr_high))
            continue;
        if (delivery == APIC_NMI)
            send_nmi(vcpu, target);
        else if (delivery == APIC_SIPI)
            start_sipi(target, (uint8_t)low);
        else if (!(low & ICR_LEVEL) ||
                 low & ICR_ASSERT) /* a level de-assert does nothing since the Pentium 4 */
            start_init(target);
    }
}

static void write_register(struct vcpu *vcpu, unsigned offset, uint32_t value)
{
    bool lvt = offset >= APIC_LVT_TIMER && offset <= APIC_LVT_ERROR;
    if (offset < APIC_ID || (lvt && (value >> ICR_DELIVERY_SHIFT & 7) == APIC_INIT)) {
        guest_warn("guest write of 0x%x to its local APIC at 0x%x dropped", value, offset);
        return;
    }
    switch (offset) {
    case APIC_ID:
        guest_warn("guest write of its APIC id (0x%x) dropped", value);
        return;
    case APIC_ICR_HIGH:
        vcpu->icr_high = value;
        break;
    case APIC_ICR_LOW:
        write_icr_low(vcpu, value);
        return;
    case APIC_LDR:
        atomic_store_explicit(&vcpu->ldr, value, memory_order_relaxed);
        break;
    case APIC_DFR:
        atomic_store_explicit(&vcpu->dfr, value, memory_order_relaxed);
        break;
    }
    *apic_register(offset) = value;
}

void lapic_write_fault(struct vcpu *vcpu, const struct exit *exit)
{
    struct insn insn;
    unsigned offset = exit->fault.gpa & 0xFFF;
    int length = vcpu_decode(vcpu, &insn);
    if (length < 0 || insn.class > INSN_XCHG || insn.size != 4 || offset % 16) {
        guest_warn("write to the local APIC at 0x%x, rip 0x%lx, by an instruction not known here: #GP",
                   offset, vcpu->rip);
        vcpu_inject_gp(vcpu);
        return;
    }
    uint32_t value = insn.class == INSN_STORE_IMM ? (uint32_t)insn.immediate : (uint32_t)vcpu->gpr[insn.reg];
    if (insn.class == INSN_XCHG)
        vcpu->gpr[insn.reg] = *apic_register(offset);
    write_register(vcpu, offset, value);
    vcpu_advance(vcpu, (unsigned)length);
    watchdog_others(vcpu->cpu);
}
