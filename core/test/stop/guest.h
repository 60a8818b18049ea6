/*
 * Guests, and the hardware that runs them, under the shipped backends. SVM: svm_enter() is here a VMRUN, with
 * NMI and IRET intercepts, event injection, TF and the interrupt shadow. VMX (vmx.c): vmx_enter() is here
 * enter.asm and a VM entry, with virtual NMIs, event injection, both windows and the interrupt shadow.
 *
 * A guest is a list of steps, each an exit, but for STI and FAULT. Its NMI handler is one IRET.
 */
#ifndef CORE_TEST_STOP_GUEST_H
#define CORE_TEST_STOP_GUEST_H

#include "core/cpu.h"

/* STI: that, and an instruction in its shadow. FAULT: the delivery of the next NMI meets a nested fault. */
enum step { DONE, QUIESCE, SEND_NMI, SEND_INIT, SEND_SIPI, STI, FAULT };
struct guest_step {
    enum step step;
    unsigned target; /* CPU */
};

void guest_reset(bool vmx);
/* Runs a CPU: a context of the explorer. */
void guest_run(unsigned cpu, const struct guest_step *steps);
/* In waits: when all has been seen, the CPU's context ends here. */
void guest_leave_if_over(void);

/* For the hardware, on the CPU that runs. Checks what has to be so when it enters the guest. */
void guest_enters(void);
/* All cached translations are dropped. */
void guest_flushed(void);
/* The guest gets an injected NMI; shadow: in an interrupt shadow. False: a nested fault kept it from that. */
bool guest_takes_nmi(uint64_t *rip, uint64_t *rflags, bool shadow);
/* Until an NMI, or until the guest has an instruction to execute. */
void guest_waits(uint64_t rip);
bool guest_in_nmi(void);
/* Executes it, unless it always exits: false. */
bool guest_executes(uint64_t *rip, uint64_t *rflags, bool *shadow);

/* vmx.c */
void vmx_machine_reset(void);

/* Nobody moves. True: waits are over, or time will help. Otherwise a failure was told, or it is a hang. */
bool guest_idle(void);
/* After a run: NULL, or what is wrong. */
const char *guest_judge(int stopped);

#endif
