/* The local APIC, as far as the hypervisor itself uses it: to start CPUs and to ring. xAPIC mode only (SDM
 * vol. 3, 10.4 to 10.6). */
#ifndef CORE_X86_APIC_H
#define CORE_X86_APIC_H

#include <stdbool.h>
#include <stdint.h>

#define APIC_BASE  0xFEE00000ull
#define APIC_RANGE 0x100000ull

enum apic_register {
    APIC_ID = 0x20,
    APIC_TPR = 0x80,
    APIC_EOI = 0xB0,
    APIC_LDR = 0xD0,
    APIC_DFR = 0xE0,
    APIC_SPURIOUS = 0xF0,
    APIC_IN_SERVICE = 0x100, /* 8 registers, 16 bytes apart */
    APIC_ICR_LOW = 0x300,
    APIC_ICR_HIGH = 0x310,
    APIC_LVT_TIMER = 0x320,
    APIC_LVT_ERROR = 0x370,
    APIC_TIMER_INITIAL = 0x380,
};
enum { APIC_LVT_MASKED = 1 << 16, APIC_SPURIOUS_RESET = 0xFF };
enum apic_delivery {
    APIC_FIXED = 0,
    APIC_LOWEST = 1,
    APIC_SMI = 2,
    APIC_NMI = 4,
    APIC_INIT = 5,
    APIC_SIPI = 6
};
enum apic_icr {
    ICR_DELIVERY_SHIFT = 8,
    ICR_LOGICAL = 1 << 11,
    ICR_BUSY = 1 << 12,
    ICR_ASSERT = 1 << 14,
    ICR_LEVEL = 1 << 15,
    ICR_SHORTHAND_SHIFT = 18
};
enum apic_base { APIC_BASE_BSP = 1 << 8, APIC_BASE_X2APIC = 1 << 10, APIC_BASE_ENABLE = 1 << 11 };

static inline volatile uint32_t *apic_register(unsigned offset)
{
    return (volatile uint32_t *)(APIC_BASE + offset);
}

/* Waits, at most 100 ms, until the last IPI has left. False: it has not. */
bool apic_wait_idle(void);
/* Sends one IPI to a physical APIC id and restores ICR_HIGH to `keep`, since the guest may stand between its
   two writes. Waits a bounded time for the one before it. Normal and panic context. False: the APIC stayed
   busy, nothing was sent. */
bool apic_send(uint32_t apic_id, uint32_t icr_low, uint32_t keep);

/* NULL: usable; else the line that names the mend. On the CPU itself. */
const char *apic_probe(void);
uint32_t apic_id(void);

#endif
