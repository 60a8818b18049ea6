/*
 * A machine for tests: CPUs are threads (or one thread that changes its mind), contexts are set by hand or by
 * signal handlers, and COM1 is a strict 16550A that transmits one byte in every `pace` accesses to its ports
 * and counts what a real one would lose.
 */
#ifndef LOG_TEST_MACHINE_H
#define LOG_TEST_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "log/log.h"

enum uart_kind { UART_16550A, UART_16550_BROKEN, UART_16450, UART_ABSENT };

struct machine {
    enum uart_kind kind;
    unsigned pace;      /* accesses a byte takes */
    bool busy_for_good; /* the transmitter does not move: no cable, flow control */
    bool real_clock;    /* nanoseconds of the host, else `clock`, which each reading moves by `tick` */
    uint64_t clock, tick;
    void (*relax)(void);      /* called where a loop waits: what another CPU does meanwhile */
    void (*interrupt)(void);  /* called once, just before a write to the data port ... */
    unsigned interrupt_after; /* ... after so many others: between a check and its write */
    /* What came out, and what was lost. */
    uint8_t *sent;
    size_t sent_size;
    unsigned overruns;
    unsigned accesses;
};
extern struct machine machine;
extern _Thread_local unsigned machine_cpu;
extern _Thread_local enum log_context machine_context;

/* A fresh machine; memory for rings of `cpus`, log_init() done, CPU 0 in normal context. */
void machine_start(unsigned cpus);

/* The same memory after a reset. */
void machine_reset(unsigned cpus);

/* machine_start() and log_open_wire(); forgets the banner. */
void machine_start_open(unsigned cpus, enum log_mode mode);
struct log_config machine_config(unsigned cpus, enum log_mode mode);

/* Lets the UART finish; then forgets what came out. */
void machine_settle(void);
void machine_forget(void);

extern void *machine_memory;

#endif
