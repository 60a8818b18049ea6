/* See stall.h. */
#include "core/stall.h"
#include "core/doorbell.h"
#include "core/x86/asm.h"

enum { NEVER = UINT32_MAX };

_Atomic uint32_t stall_armed;

static uint32_t stepping; /* CPU + 1 that steps through a record; its #DB handler only */
static uint32_t steps, stall_step_at;
static _Atomic uint32_t nmi_expected; /* enum stall << 8 | CPU, for the NMI handler */
static void *out_of_handler[5];       /* of __builtin_setjmp */

static const char *const names[STALLS] = {
    [STALL_GUEST] = "in the guest",    [STALL_EXIT] = "in an exit",
    [STALL_LOG] = "in the log",        [STALL_NMI] = "with NMIs blocked",
    [STALL_PARKED] = "parked",         [STALL_DOORBELL] = "before the doorbell",
    [STALL_SIPI] = "in wait-for-SIPI", [STALL_SIPI_TAKEN] = "leaving wait-for-SIPI",
};

_Noreturn void stall_for_good(enum stall where)
{
    if (where != STALL_LOG) /* it stands in the middle of one */
        log_warn("test: stops for good, %s", names[where]);
    for (;;)
        __asm__ volatile("hlt"); /* IF = 0: only NMIs, to come back */
}

bool stall_step(void)
{
    if (stepping != this_cpu()->index + 1)
        return false;
    if (++steps == stall_step_at)
        stall_for_good(STALL_LOG);
    return true;
}

/* How many instructions the record took. */
static uint32_t log_stepped(uint32_t stop_at)
{
    steps = 0;
    stall_step_at = stop_at;
    __asm__ volatile("pushfq; orl %0, (%%rsp); popfq" ::"i"(RFLAGS_TF) : "memory", "cc");
    log_warn("test: stops for good, %s, behind instruction %u of this record", names[STALL_LOG], stop_at);
    __asm__ volatile("pushfq; andl %0, (%%rsp); popfq" ::"i"(~RFLAGS_TF) : "memory", "cc");
    return steps;
}

/* The wire is what a record does last: at two thirds of its instructions its frame is begun and not ended. How
 * many they are is counted on a record before, which may have been the longer one, by a SYNC or a wait for the
 * UART: then this one was over before it could be stopped, and both are tried again. */
static _Noreturn void stall_in_log(struct cpu *cpu)
{
    stepping = cpu->index + 1;
    for (;;) {
        uint32_t all = log_stepped(NEVER);
        log_stepped(all - all / 3);
    }
}

void stall_nmi(void)
{
    uint32_t expected = atomic_load_explicit(&nmi_expected, memory_order_relaxed);
    if ((expected & 0xFF) != this_cpu()->index || !expected)
        return;
    if (expected >> 8 == STALL_NMI)
        stall_for_good(STALL_NMI);
    atomic_store(&nmi_expected, 0);
    this_cpu()->context = LOG_NORMAL;
    __builtin_longjmp(out_of_handler, 1);
}

/* Only IRET ends the blocking of NMIs: who leaves their handler without one goes on with NMIs blocked. */
static void block_nmis(struct cpu *cpu, enum stall where)
{
    if (__builtin_setjmp(out_of_handler))
        return;
    atomic_store(&nmi_expected, (uint32_t)where << 8 | cpu->index);
    doorbell_ring_again(cpu); /* as a doorbell: the guest gets no NMI */
    for (;;)
        cpu_relax();
}

bool stall_begin(struct vcpu *vcpu, uint32_t where, uint32_t cpu)
{
    if (where == STALL_NONE || where >= STALLS || cpu >= cpu_count)
        return false;
    switch ((enum stall)where) {
    case STALL_GUEST:
        log_warn("test: stops for good, %s", names[where]);
        vcpu->rflags &= ~(uint64_t)RFLAGS_IF;
        block_nmis(vcpu->cpu, where);
        return true;
    case STALL_NMI:
        block_nmis(vcpu->cpu, where);
        return true;
    case STALL_EXIT:
        stall_for_good(where);
    case STALL_LOG:
        stall_in_log(vcpu->cpu);
    default:
        atomic_store(&stall_armed, where << 8 | cpu);
        return true;
    }
}
