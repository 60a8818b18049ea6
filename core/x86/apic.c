/* See apic.h. */
#include "core/x86/apic.h"
#include "core/x86/asm.h"
#include "core/x86/clock.h"

enum { IDLE_DEADLINE_MS = 100 };

bool apic_wait_idle(void)
{
    uint64_t start = rdtsc();
    while (*apic_register(APIC_ICR_LOW) & ICR_BUSY) {
        if (rdtsc() - start > clock_ms(IDLE_DEADLINE_MS))
            return false;
        cpu_relax();
    }
    return true;
}

bool apic_send(uint32_t id, uint32_t icr_low, uint32_t keep)
{
    if (!apic_wait_idle())
        return false;
    /* What was published for the target must be visible before it is interrupted. An uncached store is not
     * passed by earlier stores (SDM vol. 3, 8.2.2). */
    *apic_register(APIC_ICR_HIGH) = id << 24;
    *apic_register(APIC_ICR_LOW) = icr_low;
    *apic_register(APIC_ICR_HIGH) = keep;
    return true;
}

uint32_t apic_id(void)
{
    return *apic_register(APIC_ID) >> 24;
}

const char *apic_probe(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);
    if (!(base & APIC_BASE_ENABLE))
        return "the local APIC is off: turn it on in the firmware's setup";
    if (base & APIC_BASE_X2APIC)
        return "the firmware left the local APIC in x2APIC mode: turn x2APIC off in its setup";
    if ((base & 0x000FFFFFFFFFF000ull) != APIC_BASE)
        return "the local APIC is not at 0xfee00000: this firmware is not supported";
    return 0;
}
