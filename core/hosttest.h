/*
 * Tests of the log on the machine itself, before any guest runs: boot options test=uart, uart-nmi, step, hold, stopped.
 * All CPUs are in the host; at the end the machine is switched off. What arrives on the wire is judged by the
 * decoder (ci/).
 *
 *   uart  every CPU writes more than 20,000 bytes of frames at once (fewer with more than 4 CPUs);
 *         uart-nmi: and sends NMIs, whose handlers log, to the next one
 *   step  CPU 0 writes the same record again and again; the n-th time an NMI comes behind the n-th instruction
 *         of the call (log=async: of the call and the pump), and its handler logs too. The other CPUs log all
 *         the time. All records are numbered, by CPU and context, and every one must arrive.
 *   hold  the same, but CPU 0 is held there until the others have logged HOLD_RECORDS more. The last time it is
 *         held for good: its frame stays open.
 *   stopped  CPU 0 is held for good in the middle of a frame; then the others do what they do in uart
 */
#ifndef CORE_HOSTTEST_H
#define CORE_HOSTTEST_H

#include "core/x86/acpi.h"
#include "core/x86/trap.h"

extern enum hosttest {
    HOSTTEST_NONE,
    HOSTTEST_UART,
    HOSTTEST_UART_NMI,
    HOSTTEST_STEP,
    HOSTTEST_HOLD,
    HOSTTEST_STOPPED
} hosttest;

/* On every CPU, when all are up. */
_Noreturn void hosttest_run(const struct acpi_info *acpi);
/* From the #DB handler: true if the trap was the test's. From the NMI handler. */
bool hosttest_step(struct trap_frame *frame);
void hosttest_nmi(void);

#endif
