/* The UART: a 16550A, polled. The rule that keeps CPUs from overrunning each other's bytes is in uart.c. */
#ifndef LOG_UART_H
#define LOG_UART_H

#include <stdbool.h>
#include <stdint.h>
#include "log/log.h"

struct log_uart {
    const char
        *name; /* "16550A", "16550" (its FIFO is broken), "16450"; NULL before log_uart_open() found one */
    uint16_t port;
    uint8_t depth;      /* bytes its transmitter takes when empty */
    uint8_t burst;      /* bytes a context may send for each time that it sees THRE */
    uint64_t patience;  /* how long to wait for THRE, in ticks */
    _Atomic bool stuck; /* the last wait was in vain */
    _Atomic uint64_t given_up;
};
extern struct log_uart log_uart;

/*
 * Programs the UART at `port` (115200 8N1, FIFO on, no interrupts) for `cpus` CPUs that send. One CPU, normal
 * context. False if nothing there answers as a UART does. `fifo` is for tests, see log.h.
 */
bool log_uart_open(uint16_t port, unsigned cpus, uint64_t tsc_khz, enum log_fifo fifo);

/* Waits for THRE, bounded; false if the UART stayed busy. Any context. */
bool log_uart_wait(void);

/* Gives the UART one byte. Only after log_uart_wait(), and as uart.c says. */
void log_uart_put(uint8_t byte);

/* Waits until the last bit has left, at most a second. */
void log_uart_drain(void);

/* Sends ASCII while one CPU runs, each \n as \r\n; false if the UART stayed busy. */
bool log_uart_puts(const char *text);

#endif
