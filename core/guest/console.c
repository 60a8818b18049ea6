/* See console.h. Registers: PC16550D data sheet, section 8. */
#include "core/guest/console.h"
#include "core/cpu.h"
#include "core/x86/asm.h"

enum { LINE_MAX = 80 };
enum reg16550 { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCRATCH };
enum {
    FCR = IIR,
    IER_BITS = 0x0F,
    IER_TRANSMIT = 0x02,
    IIR_NONE = 0x01,
    IIR_TRANSMIT = 0x02,
    IIR_FIFO = 0xC0,
    FCR_ENABLE = 1,
    LCR_DIVISOR = 0x80,
    MCR_DTR_RTS_OUT2 = 0x0B,
    MCR_LOOP = 0x10,
    MCR_BITS = 0x1F,
    LSR_EMPTY = 0x60
};
enum { MSR_READY = 0xB0 }; /* CTS, DSR, DCD */

bool console_on;
static uint16_t real_port;

/* One UART, whose registers the guest's CPUs share as they would share a real one's; the guest's own lock
 * keeps them in order. */
static _Atomic uint8_t ier, fcr, lcr, mcr, scratch, divisor_low, divisor_high;

/* What has come of a line, whichever CPU wrote it or ends it: a driver may leave the rest of a line to the
 * interrupt, and that to another CPU. Guests that write at once mix their lines, and nothing worse. */
static _Atomic char text[LINE_MAX];
static _Atomic unsigned length; /* at most LINE_MAX */

static void send_line(void)
{
    char line[LINE_MAX + 1];
    unsigned count = atomic_exchange(&length, 0);
    for (unsigned i = 0; i < count; i++)
        line[i] = text[i];
    line[count] = 0;
    log_info("console: %s", line);
}

static void put(uint8_t byte)
{
    if (byte == '\r')
        return;
    unsigned at = length;
    if (byte != '\n' && at < LINE_MAX) {
        text[at] = (char)byte;
        length = ++at;
    }
    if (byte == '\n' || at == LINE_MAX)
        send_line();
}

void console_flush(void)
{
    if (length)
        send_line();
}

/* In loop-back the outputs DTR, RTS, OUT1, OUT2 come back as DSR, CTS, RI, DCD: the driver's test for a UART.
 */
static uint8_t modem_status(void)
{
    uint8_t m = mcr;
    if (!(m & MCR_LOOP))
        return MSR_READY;
    return (uint8_t)((m & 1) << 5 | (m & 2) << 3 | (m & 4) << 4 | (m & 8) << 4);
}

void console_init(uint16_t port)
{
    real_port = port;
    outb((uint16_t)(port + MCR), MCR_DTR_RTS_OUT2);
}

/* Off and on again: an empty transmitter raises the line at the moment its interrupt is enabled. */
static void set_interrupts(uint8_t value)
{
    ier = value;
    outb((uint16_t)(real_port + IER), 0);
    if (value & IER_TRANSMIT)
        outb((uint16_t)(real_port + IER), IER_TRANSMIT);
}

uint8_t console_read(unsigned reg)
{
    bool divisor = lcr & LCR_DIVISOR;
    switch ((enum reg16550)reg) {
    case DATA:
        return divisor ? divisor_low : 0;
    case IER:
        return divisor ? divisor_high : ier;
    case IIR:
        return (uint8_t)((ier & IER_TRANSMIT ? IIR_TRANSMIT : IIR_NONE) | (fcr & FCR_ENABLE ? IIR_FIFO : 0));
    case LCR:
        return lcr;
    case MCR:
        return mcr;
    case LSR:
        return LSR_EMPTY;
    case MSR:
        return modem_status();
    case SCRATCH:
        return scratch;
    }
    return 0xFF;
}

void console_write(unsigned reg, uint8_t value)
{
    bool divisor = lcr & LCR_DIVISOR;
    switch ((enum reg16550)reg) {
    case DATA:
        if (divisor)
            divisor_low = value;
        else if (!(mcr & MCR_LOOP))
            put(value);
        break;
    case IER:
        if (divisor)
            divisor_high = value;
        else
            set_interrupts(value & IER_BITS);
        break;
    case FCR:
        fcr = value;
        break;
    case LCR:
        lcr = value;
        break;
    case MCR:
        mcr = value & MCR_BITS;
        break;
    case SCRATCH:
        scratch = value;
        break;
    case LSR:
    case MSR:
        break;
    }
}
