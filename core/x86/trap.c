/*
 * What the hypervisor does about its own exceptions. NMI: notes it (doorbell.h) and returns. #GP at the three
 * accesses that may fail: their callers learn it. Everything else is a bug of ours: a report that
 * explains, and a panic.
 */
#include "core/x86/trap.h"
#include "core/doorbell.h"
#include "core/hang.h"
#include "core/hosttest.h"
#include "core/limit.h"
#include "core/panic.h"
#include "core/selftest.h"
#include "core/stall.h"
#include "core/x86/asm.h"
#include "core/x86/fault.h"

extern char msr_read_at[], msr_write_at[], xsetbv_at[], msr_fault[], cpu_wait_look[], cpu_wait_end[];

static const char *const names[32] = {
    [VEC_DE] = "#DE divide error",   [VEC_DB] = "#DB debug",      [VEC_BP] = "#BP breakpoint",
    [VEC_UD] = "#UD invalid opcode", [VEC_NM] = "#NM no FPU",     [VEC_DF] = "#DF double fault",
    [VEC_TS] = "#TS invalid TSS",    [VEC_NP] = "#NP no segment", [VEC_SS] = "#SS stack segment",
    [VEC_GP] = "#GP protection",     [VEC_PF] = "#PF page fault", [VEC_AC] = "#AC alignment",
    [VEC_MC] = "#MC machine check",
};

static void nmi(struct trap_frame *frame)
{
    struct cpu *cpu = this_cpu();
    enum log_context context = cpu->context;
    if (context == LOG_PANIC)
        return; /* this CPU is past all doorbells */
    cpu->context = LOG_NMI;
    doorbell_taken(cpu, frame->rip);
    if (frame->rip >= (uint64_t)cpu_wait_look && frame->rip < (uint64_t)cpu_wait_end)
        frame->rip = (uint64_t)cpu_wait_look;
    if (backend && frame->rip >= (uint64_t)backend->look && frame->rip < (uint64_t)backend->look_end)
        frame->rip = (uint64_t)backend->look;
    hosttest_nmi();
    stall_nmi();
    hang_nmi(cpu, frame);
    panic_nmi(frame);
    cpu->context = context;
}

/* A physical INIT, turned into an exception (svm/svm.c). It may interrupt a record that is being written, an
 * NMI's too, so its own has the writer above those; and none if it interrupts itself, or a panic. */
static void init_came(void)
{
    struct cpu *cpu = this_cpu();
    enum log_context context = cpu->context;
    if (context >= LOG_MCE)
        return;
    cpu->context = LOG_MCE;
    guest_warn("a physical INIT came, from a device or the chipset: ignored");
    cpu->context = context;
}

static void report(const struct trap_frame *frame, enum cpu_phase phase)
{
    struct cpu *cpu = this_cpu();
    uint64_t cr2 = read_cr2();
    enum stack which = stack_of_guard(cpu, cr2);
    if (frame->vector == VEC_DF && which < STACKS)
        log_error("stack overflow: cpu%u's %s stack, %u bytes deep, at rsp 0x%lx", cpu->index,
                  stack_name(which), (unsigned)stack_size(which), frame->rsp);
    const char *name = frame->vector < 32 && names[frame->vector] ? names[frame->vector] : "exception";
    log_error("%s (vector %lu) in the hypervisor: error 0x%lx, rip %pS, cr2 0x%lx, phase %s", name,
              frame->vector, frame->error_code, (void *)frame->rip, cr2, cpu_phase_name(phase));
    fault_explain(frame, cr2);
    if (phase == PHASE_EXIT || phase == PHASE_QUIESCING || phase == PHASE_OWNER) {
        const struct exit *exit = &cpu->vcpu.exit;
        log_error("  in the exit: %s (code 0x%lx, info 0x%lx, 0x%lx), guest rip 0x%lx",
                  exit_name(exit->reason), exit->code, exit->info1, exit->info2, cpu->vcpu.rip);
    }
    log_error("  rax 0x%lx rbx 0x%lx rcx 0x%lx rdx 0x%lx rsi 0x%lx rdi 0x%lx", frame->rax, frame->rbx,
              frame->rcx, frame->rdx, frame->rsi, frame->rdi);
    log_error("  r8 0x%lx r9 0x%lx r10 0x%lx r11 0x%lx r12 0x%lx r13 0x%lx r14 0x%lx r15 0x%lx", frame->r8,
              frame->r9, frame->r10, frame->r11, frame->r12, frame->r13, frame->r14, frame->r15);
    log_error("  rsp 0x%lx rbp 0x%lx rflags 0x%lx cr3 0x%lx", frame->rsp, frame->rbp, frame->rflags,
              read_cr3());
}

void trap_handle(struct trap_frame *frame)
{
    selftest_trap(frame->vector);
    if (frame->vector == VEC_NMI) {
        nmi(frame);
        return;
    }
    if (frame->vector == VEC_GP &&
        (frame->rip == (uint64_t)msr_read_at || frame->rip == (uint64_t)msr_write_at ||
         frame->rip == (uint64_t)xsetbv_at)) {
        frame->rip = (uint64_t)msr_fault;
        return;
    }
    if (frame->vector == VEC_DB && (hosttest_step(frame) || stall_step()))
        return;
    if (frame->vector == VEC_SX) {
        init_came();
        return;
    }
    enum cpu_phase phase = atomic_load_explicit(&this_cpu()->phase, memory_order_relaxed);
    panic_enter(frame);
    report(frame, phase);
    panic_finish(frame);
}
