/* See clock.h. PIT channel 2 counts down at 1,193,182 Hz with its gate at port 0x61; the smallest of three
 * measurements is the one that was disturbed least. */
#include "core/x86/clock.h"
#include "core/x86/asm.h"

enum {
    PIT_HZ = 1193182,
    PIT_CHANNEL2 = 0x42,
    PIT_COMMAND = 0x43,
    PORT_B = 0x61,
    PORT_B_GATE2 = 1,
    PORT_B_SPEAKER = 2,
    PORT_B_OUT2 = 0x20
};
enum { PIT_MODE0_CHANNEL2 = 0xB0, MEASURE_MS = 10, TRIES = 3 };

uint64_t tsc_khz = 1000000; /* until measured, deadlines assume 1 GHz */

static uint64_t measure(void)
{
    unsigned count = PIT_HZ * MEASURE_MS / 1000;
    outb(PORT_B, (uint8_t)((inb(PORT_B) & ~PORT_B_SPEAKER) | PORT_B_GATE2));
    outb(PIT_COMMAND, PIT_MODE0_CHANNEL2);
    outb(PIT_CHANNEL2, (uint8_t)count);
    outb(PIT_CHANNEL2, (uint8_t)(count >> 8));
    uint64_t start = rdtsc(), now = start, limit = start + (1ull << 32);
    while (!(inb(PORT_B) & PORT_B_OUT2) && now < limit) /* no PIT: give up after 2^32 ticks */
        now = rdtsc();
    return (now - start) / MEASURE_MS;
}

void clock_calibrate(void)
{
    uint64_t best = 0;
    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t khz = measure();
        if (!best || khz < best)
            best = khz;
    }
    if (best)
        tsc_khz = best;
}

void clock_delay_us(uint64_t us)
{
    for (uint64_t end = rdtsc() + us * tsc_khz / 1000; rdtsc() < end;)
        cpu_relax();
}
