/*
 * The UART without collisions, and without a lock.
 *
 * Rule: a context sends at most `burst` bytes for each time that it has itself read LSR.THRE = 1. Other CPUs,
 * and nested contexts of its own, may read and write between its read and its writes.
 *
 * Claim: no byte is overrun while (contexts that send) x burst <= depth of the transmit FIFO.
 *
 * Proof. THRE = 1 means that the transmit FIFO is empty. Look at the FIFO just after any write, and let E be
 * the last instant before it at which the FIFO was empty; all bytes in it were written after E. Suppose that
 * burst + 1 of them are of one context. By the rule that context read THRE = 1 between two of them. Then the
 * FIFO was empty between them, which is after E: contradiction. So each context has at most `burst` bytes in
 * it, and all together at most depth. []
 *
 * The credit that is left from one frame may be used in the next, however late: the proof does not ask when.
 *
 * Contexts that send count as 2 a CPU, normal and NMI; a machine check or panic on several CPUs inside their
 * NMIs inside their normal contexts, all sending at the same instant, can lose a byte, as can more CPUs than
 * depth / 2. CRC and sequence then show what is lost. With depth 1 (no FIFO) owner.c lets one context send at
 * a time.
 *
 * Waits are bounded. A UART that stays busy is given up after PATIENCE_MS; from then on each try looks at
 * THRE once, so a dead UART costs a record one port read, and a revived one is noticed at once.
 */
#include <stdatomic.h>
#include <stddef.h>
#include "log/uart.h"
#include "log_env.h"

enum { DATA, IER, FCR, LCR, MCR, LSR, MSR, SCRATCH };
enum { IIR = FCR, DIVISOR_LOW = DATA, DIVISOR_HIGH = IER };
enum { FCR_ON_AND_CLEAR = 0x07, IIR_FIFO = 0xc0, LCR_8N1 = 0x03, LCR_DIVISOR = 0x80, MCR_DTR_RTS = 0x03 };
enum { LSR_THRE = 0x20, LSR_TEMT = 0x40, LSR_ABSENT = 0xff };
enum { DEPTH_16550A = 16, CONTEXTS_PER_CPU = 2 };
enum { PATIENCE_MS = 100, DRAIN_MS = 1000, ASSUMED_KHZ = 4000000 };
/* A CPU that its host took away for PATIENCE_MS still looks this often: the pause is not the UART's fault. */
enum { LOOKS_AT_LEAST = 1000 };

struct log_uart log_uart;

static uint8_t in(unsigned reg)
{
    return log_inb((uint16_t)(log_uart.port + reg));
}
static void out(unsigned reg, uint8_t value)
{
    log_outb((uint16_t)(log_uart.port + reg), value);
}

/* Waits until all bits of `mask` are set in LSR, for `ticks` and at least LOOKS_AT_LEAST looks. */
static bool wait_for(uint8_t mask, uint64_t ticks)
{
    const uint64_t start = log_clock();

    for (unsigned looks = 0; (in(LSR)&mask) != mask; looks++) {
        if (looks >= LOOKS_AT_LEAST && log_clock() - start > ticks)
            return false;
        log_relax();
    }
    return true;
}

static bool is_present(void)
{
    if (in(LSR) == LSR_ABSENT)
        return false;
    out(SCRATCH, 0x5a);
    if (in(SCRATCH) != 0x5a)
        return false;
    out(SCRATCH, 0xa5);
    return in(SCRATCH) == 0xa5;
}

bool log_uart_open(uint16_t port, unsigned cpus, uint64_t tsc_khz, enum log_fifo fifo)
{
    log_uart.port = port;
    log_uart.name = NULL;
    log_uart.patience = (tsc_khz == 0 ? ASSUMED_KHZ : tsc_khz) * PATIENCE_MS;
    atomic_store_explicit(&log_uart.stuck, false, memory_order_relaxed);
    if (!is_present())
        return false;
    log_uart_drain(); /* what firmware or boot loader still has in there */
    out(IER, 0);
    out(LCR, LCR_DIVISOR);
    out(DIVISOR_LOW, 1); /* 115200 baud */
    out(DIVISOR_HIGH, 0);
    out(LCR, LCR_8N1);
    out(MCR, MCR_DTR_RTS);
    out(FCR, fifo == LOG_FIFO_NONE ? 0 : FCR_ON_AND_CLEAR);
    log_uart.depth = (in(IIR)&IIR_FIFO) == IIR_FIFO ? DEPTH_16550A : 1;
    log_uart.name = log_uart.depth > 1 ? "16550A" : (in(IIR)&IIR_FIFO) != 0 ? "16550" : "16450";
    if (log_uart.depth == 1 || fifo == LOG_FIFO_OFF)
        out(FCR, 0);
    log_uart.burst = log_uart.depth / (cpus * CONTEXTS_PER_CPU);
    if (log_uart.burst == 0)
        log_uart.burst = 1;
    return true;
}

bool log_uart_wait(void)
{
    if (in(LSR)&LSR_THRE) {
        if (atomic_load_explicit(&log_uart.stuck, memory_order_relaxed))
            atomic_store_explicit(&log_uart.stuck, false, memory_order_relaxed);
        return true;
    }
    if (atomic_load_explicit(&log_uart.stuck, memory_order_relaxed))
        return false;
    if (wait_for(LSR_THRE, log_uart.patience))
        return true;
    atomic_store_explicit(&log_uart.stuck, true, memory_order_relaxed);
    atomic_fetch_add_explicit(&log_uart.given_up, 1, memory_order_relaxed);
    return false;
}

void log_uart_put(uint8_t byte)
{
    out(DATA, byte);
}

void log_uart_drain(void)
{
    (void)wait_for(LSR_TEMT, log_uart.patience / PATIENCE_MS * DRAIN_MS);
}

bool log_uart_puts(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            if (!log_uart_wait())
                return false;
            log_uart_put('\r');
        }
        if (!log_uart_wait())
            return false;
        log_uart_put((uint8_t)*text);
    }
    return true;
}
