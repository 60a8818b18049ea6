/*
 * Fault injection, for tests (boot option test=on): a CPU stops for good at one place, to see that the others
 * name it and live on. Armed by a hypercall (selftest.h), for one CPU and one place at a time.
 */
#ifndef CORE_STALL_H
#define CORE_STALL_H

#include "core/cpu.h"

struct trap_frame;

enum stall {
    STALL_NONE,
    STALL_GUEST,    /* the guest goes on behind the hypercall, with interrupts off and NMIs blocked */
    STALL_EXIT,     /* in the hypercall's exit */
    STALL_LOG,      /* in the middle of a record's frame */
    STALL_NMI,      /* in the NMI handler: NMIs are blocked, in the host */
    STALL_PARKED,   /* the places from here on are only armed: at the next stop, it does not leave its park */
    STALL_DOORBELL, /* at its next own stop, between publishing the requests and ringing */
    STALL_SIPI,     /* while it waits for SIPI */
    STALL_SIPI_TAKEN, /* it has left wait-for-SIPI, and not looked at its mail box yet */
    STALLS
};

extern _Atomic uint32_t stall_armed; /* enum stall << 8 | CPU; 0: none */

/* Stalls this CPU, or arms. False: there is no such place or CPU. Normal context, in an exit. */
bool stall_begin(struct vcpu *vcpu, uint32_t where, uint32_t cpu);
_Noreturn void stall_for_good(enum stall where);
/* From the #DB handler: true if the trap was the stall's. From the NMI handler; does not return if armed. */
bool stall_step(void);
void stall_nmi(void);

/* Here a CPU stops if that was armed. */
static inline void stall_at(const struct cpu *cpu, enum stall where)
{
    if (atomic_load_explicit(&stall_armed, memory_order_relaxed) == ((uint32_t)where << 8 | cpu->index))
        stall_for_good(where);
}

#endif
