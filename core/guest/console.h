/*
 * A UART for the guest at COM1, made of log records: with one serial cable, the log and the guest's console
 * share the wire. Boot option console=log.
 *
 * What the guest writes is gathered into lines, and each leaves as a record of the CPU that ended it ("console:
 * ..."). A line without its end waits for it, or for the machine's end. There is no input. Its transmit
 * interrupt is real: the guest's routing of COM1's line is known to its APICs alone, so the real UART, on whose
 * registers the log leaves IER and OUT2 alone, is told to raise it. The guest's driver then asks this UART why,
 * and finds its transmitter empty, as it always is.
 */
#ifndef CORE_GUEST_CONSOLE_H
#define CORE_GUEST_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

extern bool console_on;

/* The log's UART. Boot. */
void console_init(uint16_t port);

/* What has come of a line without its end leaves as it is. Before power-off and reset. Normal
 * context. */
void console_flush(void);

/* One byte access to register 0 to 7. Normal context. */
uint8_t console_read(unsigned reg);
void console_write(unsigned reg, uint8_t value);

#endif
