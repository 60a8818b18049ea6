/*
 * Guests, and the hardware that runs them, under the shipped SVM backend: svm_enter() is here a VMRUN, with
 * NMI and IRET intercepts, event injection and TF. With VMX, a backend of this file's own: no GIF, virtual NMIs,
 * the NMI window, and the rewind of trap.c before VMRESUME.
 *
 * A guest is a list of steps, each an exit. Its NMI handler is one IRET.
 */
#ifndef CORE_TEST_STOP_GUEST_H
#define CORE_TEST_STOP_GUEST_H

#include "core/cpu.h"

enum step { DONE, QUIESCE, SEND_NMI, SEND_INIT, SEND_SIPI };
struct guest_step {
    enum step step;
    unsigned target; /* CPU */
};

void guest_reset(bool vmx);
/* Runs a CPU: a context of the explorer. */
void guest_run(unsigned cpu, const struct guest_step *steps);
/* In waits: when all has been seen, the CPU's context ends here. */
void guest_leave_if_over(void);

/* The CPU that runs has taken its guest_nmi away, to inject it. */
void guest_nmi_taken(void);

/* Nobody moves. True: waits are over, or time will help. Otherwise a failure was told, or it is a hang. */
bool guest_idle(void);
/* After a run: NULL, or what is wrong. */
const char *guest_judge(int stopped);

#endif
