/* Exits, by one table: a handler a reason. A handler either moves RIP on, or leaves it so that the
 * instruction is executed again. */
#include "core/cpu.h"
#include "core/guest/lapic.h"
#include "core/guest/memmap.h"
#include "core/guest/policy.h"
#include "core/guest/shutdown.h"
#include "core/limit.h"
#include "core/selftest.h"
#include "core/watchdog.h"
#include "core/x86/apic.h"
#include "core/x86/asm.h"

enum { PUMP_RECORDS = 16, RESULT_UNKNOWN = 1 };

const char *exit_name(enum exit_reason reason)
{
    static const char *const names[EXIT_REASONS] = {
        [EXIT_CPUID] = "CPUID",
        [EXIT_MSR_READ] = "RDMSR",
        [EXIT_MSR_WRITE] = "WRMSR",
        [EXIT_IO] = "I/O",
        [EXIT_NESTED_FAULT] = "nested fault",
        [EXIT_HYPERCALL] = "hypercall",
        [EXIT_EXCEPTION] = "exception",
        [EXIT_NMI] = "NMI",
        [EXIT_TIMER] = "timer",
        [EXIT_NONE] = "internal",
        [EXIT_INVD] = "INVD",
        [EXIT_HLT] = "HLT",
        [EXIT_SHUTDOWN] = "shutdown",
        [EXIT_INIT] = "INIT",
        [EXIT_FORBIDDEN] = "forbidden instruction",
        [EXIT_ENTRY_FAILED] = "failed entry",
        [EXIT_UNKNOWN] = "unknown",
    };
    return reason < EXIT_REASONS && names[reason] ? names[reason] : "?";
}

static void hypercall(struct vcpu *vcpu, const struct exit *exit)
{
    uint32_t number = (uint32_t)vcpu->gpr[REG_RAX];
    enum hypapp_result result = HYPAPP_PASS;
    if (selftest_on && selftest_is_ours(number))
        result = selftest_hypercall(vcpu);
    else if (hypapp.hypercall)
        result = hypapp.hypercall(vcpu, number);
    if (result == HYPAPP_RETRY)
        return;
    if (result == HYPAPP_PASS) {
        guest_warn("hypercall 0x%x is nobody's: returns %u", number, RESULT_UNKNOWN);
        vcpu->gpr[REG_RAX] = RESULT_UNKNOWN;
    }
    vcpu_skip(vcpu, exit);
}

/* Does the other vendor's hypercall instruction stand at RIP? It raises #UD on this one. */
static bool foreign_hypercall(struct vcpu *vcpu)
{
    struct insn insn;
    return vcpu_decode(vcpu, &insn) > 0 && (insn.class == INSN_VMCALL || insn.class == INSN_VMMCALL);
}

static void exception(struct vcpu *vcpu, const struct exit *exit)
{
    if (exit->vector == VEC_UD && foreign_hypercall(vcpu)) {
        hypercall(vcpu, exit);
        return;
    }
    if (vcpu->exceptions_intercepted && hypapp.exception &&
        hypapp.exception(vcpu, exit->vector, exit->error_code) != HYPAPP_PASS)
        return;
    if (exit->vector == VEC_BP ||
        exit->vector == VEC_BP + 1) /* traps: INT3 and INTO are one byte, and RIP still stands on it */
        vcpu->rip++;
    if (exit->next_rip) /* INT1, a trap as well */
        vcpu->rip = exit->next_rip;
    if (exit->vector == VEC_DB)
        vcpu_inject_debug(vcpu);
    else
        vcpu_inject(vcpu, exit->vector, VECTORS_WITH_ERROR >> exit->vector & 1, exit->error_code);
}

static void nested_fault(struct vcpu *vcpu, const struct exit *exit)
{
    const struct nested_fault *fault = &exit->fault;
    if (view_prot(vcpu->view, fault->gpa) & fault->access &&
        !(fault->table_walk && !(view_prot(vcpu->view, fault->gpa) & ACCESS_WRITE))) {
        vcpu->flush = true; /* allowed by now: an old translation */
        return;
    }
    if ((fault->gpa & PAGE_MASK) == APIC_BASE && fault->access == ACCESS_WRITE && !fault->table_walk &&
        vcpu->view == view_main() &&
        vcpu->requeued.type ==
            EVENT_NONE) { /* else it is the push of an event's frame, not the instruction at RIP */
        lapic_write_fault(vcpu, exit);
        return;
    }
    if (!memmap_is_hidden(fault->gpa) && hypapp.nested_fault) {
        if (hypapp.nested_fault(vcpu, fault) != HYPAPP_PASS)
            return;
    }
    guest_warn("guest %s of 0x%lx at rip 0x%lx: forbidden, #GP",
               fault->access == ACCESS_WRITE  ? "write"
               : fault->access == ACCESS_EXEC ? "fetch"
                                              : "read",
               fault->gpa, vcpu->rip);
    vcpu_inject_gp(vcpu);
}

/* Intercepted only while this CPU's log has a backlog: idle time is spent on it, and the guest sees a wake-up
 * without reason. */
static void halt(struct vcpu *vcpu, const struct exit *exit)
{
    log_pump(vcpu->cpu->index, PUMP_RECORDS);
    vcpu_skip(vcpu, exit);
}

/* INVD would throw away what the hypervisor has in the cache: written back first. */
static void invd(struct vcpu *vcpu, const struct exit *exit)
{
    __asm__ volatile("wbinvd" ::: "memory");
    vcpu_skip(vcpu, exit);
}

static void forbidden(struct vcpu *vcpu, const struct exit *exit)
{
    (void)exit;
    vcpu_inject(vcpu, VEC_UD, false, 0);
}

static void nothing(struct vcpu *vcpu, const struct exit *exit)
{
    (void)vcpu, (void)exit;
}

static void init(struct vcpu *vcpu, const struct exit *exit)
{
    (void)exit;
    /* Bounded lines: some emulators leave it pending, and exit so at each entry. */
    guest_warn("cpu%u got a physical INIT, from a device or the chipset: ignored", vcpu->cpu->index);
}

static void broken(struct vcpu *vcpu, const struct exit *exit)
{
    log_error("exit 0x%lx (%s) cannot be handled: the guest is reset", exit->code, exit_name(exit->reason));
    backend->explain(vcpu, exit);
    shutdown_reset(vcpu);
}

static void shutdown(struct vcpu *vcpu, const struct exit *exit)
{
    log_warn("guest shutdown (triple fault): the machine is reset");
    backend->explain(vcpu, exit);
    shutdown_reset(vcpu);
}

typedef void handler(struct vcpu *vcpu, const struct exit *exit);
static handler *const handlers[EXIT_REASONS] = {
    [EXIT_CPUID] = policy_cpuid,
    [EXIT_MSR_READ] = policy_msr_read,
    [EXIT_MSR_WRITE] = policy_msr_write,
    [EXIT_IO] = policy_io,
    [EXIT_NESTED_FAULT] = nested_fault,
    [EXIT_HYPERCALL] = hypercall,
    [EXIT_EXCEPTION] = exception,
    [EXIT_NMI] = watchdog_exit, /* taken by the host's handler at open(); the boundary looks next */
    [EXIT_TIMER] = watchdog_exit,
    [EXIT_NONE] = nothing,
    [EXIT_INVD] = invd,
    [EXIT_HLT] = halt,
    [EXIT_SHUTDOWN] = shutdown,
    [EXIT_INIT] = init,
    [EXIT_FORBIDDEN] = forbidden,
    [EXIT_ENTRY_FAILED] = broken,
    [EXIT_UNKNOWN] = broken,
};

static __attribute__((noinline)) void trace_and_handle(struct vcpu *vcpu, const struct exit *exit)
{
    log_trace("exit: %s, code 0x%lx, rip 0x%lx", exit_name(exit->reason), exit->code, vcpu->rip);
    handlers[exit->reason](vcpu, exit);
    log_trace("exit ends");
}

void exit_dispatch(struct vcpu *vcpu, const struct exit *exit)
{
    vcpu->exits[exit->reason]++;
    if (atomic_load_explicit(&log_finest, memory_order_relaxed) >= LOG_TRACE)
        trace_and_handle(vcpu, exit);
    else
        handlers[exit->reason](vcpu, exit);
}

uint64_t exits_total(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < cpu_count; i++)
        for (unsigned r = 0; r < EXIT_REASONS; r++)
            sum += cpus[i].vcpu.exits[r];
    return sum;
}
