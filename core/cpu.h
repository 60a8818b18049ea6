/*
 * One physical CPU: what it owns, and the words by which the others reach it.
 *
 * Found through GS (this_cpu). Everything without _Atomic is touched by its own CPU only. The atomic words
 * are the mail box: others write, then ring the doorbell (an NMI, doorbell.h); the owner reads them at its
 * guest boundary (vcpu.c). The NMI handler itself touches nmi_seen, rung, guest_nmi, sampled_rip and asked,
 * and of the rest context, which it gives back as it was, and vcpu.nmis_unknown.
 */
#ifndef CORE_CPU_H
#define CORE_CPU_H

#include "core/vcpu.h"
#include "core/x86/asm.h"
#include "log/log.h"

#include <stdatomic.h>

#define MAX_CPUS 32u /* what lanes serve in full: t = 5, p = 3 */

enum cpu_state {
    CPU_ABSENT,    /* not started (yet) */
    CPU_RUNNING,   /* in the guest, or in the hypervisor on the guest's behalf */
    CPU_WAIT_SIPI, /* waits in the host; no quiesce awaits it */
};

/* Where a CPU is, for reports: written by itself, read by whoever waits for it. */
enum cpu_phase {
    PHASE_BOOT,
    PHASE_GUEST,
    PHASE_ISOLATED, /* in the guest, in a view of its own: a PAL */
    PHASE_EXIT,
    PHASE_BOUNDARY,
    PHASE_PARKED,
    PHASE_WAIT_SIPI,
    PHASE_QUIESCING,
    PHASE_OWNER,
    PHASE_PANIC
};
const char *cpu_phase_name(enum cpu_phase phase);

struct cpu {
    struct cpu *self; /* at gs:0 */
    uint32_t index, apic_id;
    enum log_context context;
    struct log_writer *writers[LOG_CONTEXTS];
    _Atomic uint32_t phase;
    _Atomic uint64_t phase_since; /* TSC */

    /* The mail box. */
    _Atomic uint32_t state;     /* enum cpu_state */
    _Atomic uint64_t request;   /* park for this quiesce round, if it is not over (quiesce.c) */
    _Atomic uint64_t parked;    /* the round it last parked for */
    _Atomic uint32_t halts;     /* it is parked and in HLT, or may be: the end of the round is to ring */
    _Atomic uint32_t guest_nmi; /* an NMI of the guest waits to be delivered: one, as in a real CPU's latch */
    _Atomic uint32_t guest_start; /* START_INIT, START_SIPI | vector (guest/start.h) */
    _Atomic uint64_t sipi_sent;   /* TSC of the last START_SIPI */
    _Atomic uint32_t asked;       /* say where you are, at the next NMI (hang.h) */

    /* The doorbell (doorbell.c). */
    _Atomic uint32_t rung;        /* 1: a doorbell is on its way and its NMI has not been taken */
    _Atomic uint32_t nmi_seen;    /* NMIs taken in the host; what halted waits watch */
    _Atomic uint64_t sampled_rip; /* host RIP that the last NMI interrupted */

    uint64_t stack_top[4]; /* enum stack: normal, NMI, #DF, #MC */
    void *tables;          /* its GDT, TSS and IDT (x86/descriptors.c) */
    void *tss;
    struct vcpu vcpu;
};
enum { START_SIPI = 1 << 8, START_INIT = 1 << 9 };

extern struct cpu cpus[MAX_CPUS];
extern unsigned cpu_count;

static inline struct cpu *this_cpu(void)
{
    struct cpu *cpu;
    __asm__ volatile("mov %%gs:0, %0" : "=r"(cpu));
    return cpu;
}

static inline void cpu_set_phase(struct cpu *cpu, enum cpu_phase phase)
{
    atomic_store_explicit(&cpu->phase, phase, memory_order_relaxed);
    atomic_store_explicit(&cpu->phase_since, rdtsc(), memory_order_relaxed);
}

/* HLT until an NMI, unless *word != value already; no wake-up is lost between look and HLT (x86/trap.asm).
 * May return without reason. */
void cpu_wait(_Atomic uint32_t *word, uint32_t value);

#endif
