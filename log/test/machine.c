/* The machine for tests. See machine.h. */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "log/test/machine.h"
#include "log_env.h"

enum { SENT_ROOM = 8 << 20 };
enum { DATA, IER, FCR_IIR, LCR, MCR, LSR, MSR, SCRATCH };

struct machine machine;
_Thread_local unsigned machine_cpu;
_Thread_local enum log_context machine_context;
void *machine_memory;

static struct {
    uint8_t fifo[16];
    unsigned count;    /* bytes in FIFO or holding register */
    unsigned progress; /* accesses since the byte in the shift register started; 0: it is idle */
    uint8_t shift, lcr, scratch;
    bool fifo_on;
} uart;
static atomic_flag bus = ATOMIC_FLAG_INIT;
static sigset_t before;

struct log_writer *log_host_self(void)
{
    return log_writer(machine_cpu, machine_context);
}

uint64_t log_host_clock(void)
{
    struct timespec now;

    if (!machine.real_clock)
        return machine.clock += machine.tick;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void log_host_relax(void)
{
    if (machine.relax != NULL)
        machine.relax();
}

/* The buffer is there from the start: this runs in signal handlers. */
static void deliver(uint8_t byte)
{
    if (machine.sent_size == SENT_ROOM)
        abort();
    machine.sent[machine.sent_size++] = byte;
}

/* One access of time passes. */
static void advance(void)
{
    machine.accesses++;
    if (machine.busy_for_good)
        return;
    if (uart.progress != 0 && uart.progress++ >= machine.pace) {
        deliver(uart.shift);
        uart.progress = 0;
    }
    if (uart.progress == 0 && uart.count > 0) {
        uart.shift = uart.fifo[0];
        memmove(uart.fifo, uart.fifo + 1, --uart.count);
        uart.progress = 1;
    }
}

/* An access to a port is one action for all CPUs, and no signal comes inside it. */
static void bus_lock(void)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    while (atomic_flag_test_and_set_explicit(&bus, memory_order_acquire))
        ;
    before = old;
    advance();
}

static void bus_unlock(void)
{
    const sigset_t old = before;

    atomic_flag_clear_explicit(&bus, memory_order_release);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static uint8_t iir(void)
{
    switch (machine.kind) {
    case UART_16550A:
        return uart.fifo_on ? 0xc1 : 0x01;
    case UART_16550_BROKEN:
        return uart.fifo_on ? 0x81 : 0x01;
    default:
        return 0x01;
    }
}

uint8_t log_host_inb(uint16_t port)
{
    uint8_t value = 0xff;

    bus_lock();
    if (machine.kind != UART_ABSENT) {
        switch (port - LOG_PORT_COM1) {
        case FCR_IIR:
            value = iir();
            break;
        case LSR:
            value = uart.count > 0 ? 0 : uart.progress != 0 ? 0x20 : 0x60;
            break;
        case SCRATCH:
            value = uart.scratch;
            break;
        default:
            break;
        }
    }
    bus_unlock();
    return value;
}

void log_host_outb(uint16_t port, uint8_t value)
{
    if (port == LOG_PORT_COM1 && !(uart.lcr & 0x80) && machine.interrupt != NULL &&
        machine.interrupt_after-- == 0) {
        void (*interrupt)(void) = machine.interrupt;

        machine.interrupt = NULL;
        interrupt();
    }
    bus_lock();
    switch (port - LOG_PORT_COM1) {
    case DATA:
        if (uart.lcr & 0x80)
            break;
        if (uart.count == (uart.fifo_on ? 16 : 1))
            machine.overruns++;
        else
            uart.fifo[uart.count++] = value;
        break;
    case FCR_IIR:
        uart.fifo_on = (machine.kind == UART_16550A || machine.kind == UART_16550_BROKEN) && (value & 1);
        break;
    case LCR:
        uart.lcr = value;
        break;
    case SCRATCH:
        uart.scratch = value;
        break;
    default:
        break;
    }
    bus_unlock();
}

void machine_reset(unsigned cpus)
{
    memset(&uart, 0, sizeof(uart));
    machine_cpu = 0;
    machine_context = LOG_NORMAL;
    if (log_init(machine_memory, log_memory_size(cpus), cpus) != LOG_OK)
        abort();
}

void machine_start(unsigned cpus)
{
    static uint8_t sent[SENT_ROOM];

    machine = (struct machine){.kind = UART_16550A, .pace = 3, .clock = 1000000, .tick = 1000, .sent = sent};
    free(machine_memory);
    machine_memory = aligned_alloc(4096, (log_memory_size(cpus) + 4095) / 4096 * 4096);
    memset(machine_memory, 0xa5, log_memory_size(cpus));
    machine_reset(cpus);
}

struct log_config machine_config(unsigned cpus, enum log_mode mode)
{
    static const uint8_t build_id[20] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x00, 0x11,
                                         0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0x00, 0xaa};

    return (struct log_config){
        .cpus = cpus,
        .tsc_khz = 2445000,
        .mode = mode,
        .wire_level = LOG_INFO,
        .ring_level = LOG_TRACE,
        .build_id = build_id,
        .build_id_size = sizeof(build_id),
    };
}

void machine_start_open(unsigned cpus, enum log_mode mode)
{
    const struct log_config config = machine_config(cpus, mode);

    machine_start(cpus);
    if (log_open_wire(&config) != LOG_OK)
        abort();
    machine_forget();
}

void machine_settle(void)
{
    while (uart.count > 0 || uart.progress != 0)
        advance();
}

void machine_forget(void)
{
    machine_settle();
    machine.sent_size = 0;
}
