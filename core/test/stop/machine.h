/*
 * A machine for the explorer of interleavings (log/explorer): what the shipped stop protocol needs under it,
 * and nothing more. A CPU is a context of the explorer that runs the shipped vcpu_loop.
 *
 *     NMI     a latch a CPU: one pends, however many came. Taken at the CPU's next access to memory, by the
 *             shipped trap_handle, unless GIF = 0 or NMIs are blocked: until the handler's IRET
 *     RIP     as far as trap.c moves it: cpu_wait_look before HLT, backend->look before an entry
 *     APIC    an NMI sent is in the target's latch at once
 *     HLT     until an NMI is taken
 *     SVM     guest.c
 *     VMX     vmx.c
 *
 * One NMI may also come from outside at any moment: the explorer's last context presses a button.
 */
#ifndef CORE_TEST_STOP_MACHINE_H
#define CORE_TEST_STOP_MACHINE_H

#include "core/cpu.h"

/* What a CPU has that struct cpu has not; and what the properties remember. */
struct hardware {
    bool latch, gif; /* gif: the host takes NMIs */
    bool blocked;    /* NMIs are, until an IRET of the host's */
    uint64_t rip;    /* of the host: where the handler finds it, and where it leaves it */
    uint32_t nmis;   /* taken in the host */
    int owed;        /* NMIs from outside: sent - merged in the latch - taken for the guest's */
    unsigned rung_again;
    unsigned backlog; /* records in its log */
    bool pumped;      /* has been to log_pump since it parked or halted */
    bool due;         /* the guest must still get an NMI */
    bool taken;       /* its guest_nmi was taken away for that; vmx_take_back may give it back */
};
extern struct hardware hardware[MAX_CPUS];
/* BACKLOG: what each exit finds in the log, which is more than log_pump sends at a time. */
enum { RIP_ELSEWHERE = 1, REPORTS = 2, BACKLOG = 20 };
#define NO_DEADLINE_MS (1ull << 50)

/* The contexts of the explorer are the CPUs in order, then the world outside. */
void machine_reset(unsigned cpu_count, bool vmx);
/* A place to switch and to take an NMI; true: others may have waited for what follows. */
void machine_point(bool moves);
/* The same for an access to a word of the shipped code's. */
void machine_touch(const volatile void *word, size_t size, bool write);
/* Nothing to do until another CPU moves. */
void machine_wait(void);
/* Takes what pends, if it may. */
void machine_take_nmi(void);
/* Is there an NMI that would make a guest exit? */
bool machine_nmi_pends(void);
/* An NMI arrives at a CPU. */
void machine_nmi(unsigned cpu);

/* shipped.c: the state that quiesce.c keeps to itself. */
void shipped_reset(void);
uint32_t shipped_losers(void);

#endif
