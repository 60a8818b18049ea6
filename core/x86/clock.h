/* Time: the TSC, and its rate measured against the PIT. */
#ifndef CORE_X86_CLOCK_H
#define CORE_X86_CLOCK_H

#include <stdint.h>

extern uint64_t tsc_khz;
void clock_calibrate(void); /* boot, one CPU */
static inline uint64_t clock_ms(uint64_t ms)
{
    return ms * tsc_khz;
}
/* Spins; boot and panic only. */
void clock_delay_us(uint64_t us);

#endif
