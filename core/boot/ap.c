/* The other CPUs, started by the hypervisor itself: one at a time, by INIT and two SIPIs (SDM vol.
   3, 8.4.4.1), each with a deadline. The guest's own INIT and SIPI are emulated later (guest/start.c). */
#include "core/boot/boot.h"
#include "core/doorbell.h"
#include "core/guest/lapic.h"
#include "core/guest/memmap.h"
#include "core/hosttest.h"
#include "core/string.h"
#include "core/x86/apic.h"
#include "core/x86/asm.h"
#include "core/x86/clock.h"
#include "core/x86/paging.h"
#include "core/x86/trap.h"

enum { AP_DEADLINE_MS = 2000, INIT_WAIT_US = 10000, SIPI_WAIT_US = 200, TRAMPOLINE_MAX = 0x9F000 };

extern const uint8_t trampoline_start[], trampoline_end[];
extern uint64_t trampoline_stack;
extern struct cpu *trampoline_cpu;

_Noreturn void ap_main(struct cpu *cpu);
static const struct acpi_info *acpi; /* for a host test's end */
static const char *_Atomic refused;  /* by the CPU that is being started */

_Noreturn void ap_main(struct cpu *cpu)
{
    paging_load();
    descriptors_load(cpu);
    const char *why = backend->cpu_enable(&cpu->vcpu);
    if (why) {
        atomic_store(&refused, why);
        for (;;)
            __asm__ volatile("cli; hlt");
    }
    backend->reset(&cpu->vcpu);
    lapic_start(&cpu->vcpu);
    log_cpu_online(cpu->index, cpu->apic_id);
    atomic_store(&cpu->state, CPU_WAIT_SIPI); /* G: the boot CPU goes on; pairs with its wait below */
    if (hosttest)
        hosttest_run(acpi);
    vcpu_loop(&cpu->vcpu);
}

static bool start(struct cpu *cpu, uint64_t page)
{
    trampoline_stack = cpu->stack_top[STACK_NORMAL];
    trampoline_cpu = cpu;
    uint32_t keep = *apic_register(APIC_ICR_HIGH);
    apic_send(cpu->apic_id, APIC_INIT << ICR_DELIVERY_SHIFT | ICR_ASSERT, keep);
    clock_delay_us(INIT_WAIT_US);
    uint64_t started = rdtsc();
    for (unsigned i = 0; i < 2 && atomic_load(&cpu->state) == CPU_ABSENT; i++) {
        apic_send(cpu->apic_id, APIC_SIPI << ICR_DELIVERY_SHIFT | ICR_ASSERT | (uint32_t)(page >> 12), keep);
        clock_delay_us(SIPI_WAIT_US);
    }
    while (atomic_load(&cpu->state) == CPU_ABSENT && !atomic_load(&refused) &&
           rdtsc() - started < clock_ms(AP_DEADLINE_MS))
        cpu_relax();
    const char *why = atomic_load(&refused);
    if (why) {
        log_error("cpu%u (APIC id %u) is not like the first one", cpu->index, cpu->apic_id);
        boot_fail(why);
    }
    if (atomic_load(&cpu->state) != CPU_ABSENT)
        return true;
    /* Late, it would come up on the next one's stack, or in the guest's memory: INIT makes it wait for a SIPI
     * that nobody sends. */
    apic_send(cpu->apic_id, APIC_INIT << ICR_DELIVERY_SHIFT | ICR_ASSERT, keep);
    return false;
}

void ap_start_all(const struct acpi_info *info)
{
    acpi = info;
    uint64_t page;
    if (!memmap_find(PAGE_SIZE, PAGE_SIZE, PAGE_SIZE, TRAMPOLINE_MAX, &page))
        boot_fail("no free page below 636 KiB for starting the other CPUs: this firmware is not supported");
    memcpy((void *)page, trampoline_start, (size_t)(trampoline_end - trampoline_start));
    for (unsigned i = 1; i < cpu_count; i++)
        if (!start(&cpus[i], page))
            log_error("cpu%u (APIC id %u) did not start within %u ms: it stays out, and the guest cannot "
                      "start it either",
                      i, cpus[i].apic_id, AP_DEADLINE_MS);
}
