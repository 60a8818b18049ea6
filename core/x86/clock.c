/* See clock.h. PIT channel 2 counts down at 1,193,182 Hz with its gate at port 0x61; of several measurements
 * the one with the least doubt is taken. */
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
enum { PIT_MODE0_CHANNEL2 = 0xB0, MEASURE_MS = 10, TRIES = 5 };

uint64_t tsc_khz = 1000000; /* until measured, deadlines assume 1 GHz */

/* One measurement, and how far it may be off: we may have been away (SMM, an emulator's host) while the PIT
 * was started or when it ended. */
struct measurement {
    uint64_t ticks, doubt;
};

static struct measurement measure(void)
{
    unsigned count = PIT_HZ * MEASURE_MS / 1000;
    outb(PORT_B, (uint8_t)((inb(PORT_B) & ~PORT_B_SPEAKER) | PORT_B_GATE2));
    outb(PIT_COMMAND, PIT_MODE0_CHANNEL2);
    outb(PIT_CHANNEL2, (uint8_t)count);
    uint64_t before = rdtsc();
    outb(PIT_CHANNEL2, (uint8_t)(count >> 8)); /* it counts from here on */
    uint64_t start = rdtsc(), now = start, last = start;
    while (!(inb(PORT_B) & PORT_B_OUT2) && now - start < 1ull << 32) { /* no PIT: give up after 2^32 ticks */
        last = now;
        now = rdtsc();
    }
    return (struct measurement){now - start, start - before + (rdtsc() - last)};
}

void clock_calibrate(void)
{
    struct measurement best = measure();
    for (unsigned i = 1; i < TRIES; i++) {
        struct measurement m = measure();
        if (m.doubt < best.doubt)
            best = m;
    }
    if (best.ticks / MEASURE_MS)
        tsc_khz = best.ticks / MEASURE_MS;
}

void clock_delay_us(uint64_t us)
{
    for (uint64_t end = rdtsc() + us * tsc_khz / 1000; rdtsc() < end;)
        cpu_relax();
}
