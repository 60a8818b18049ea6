/* See panic.h. */
#include "core/panic.h"
#include "core/doorbell.h"
#include "core/x86/asm.h"
#include "core/x86/clock.h"
#include "core/x86/trap.h"

enum { BACKTRACE_DEPTH = 16, GRACE_US = 200000 };

_Atomic uint32_t panic_word;
static uint32_t panic_nmis[MAX_CPUS]; /* each by its own CPU's handler only */
static _Atomic bool stopped[MAX_CPUS];

static bool on_stack(const struct cpu *cpu, uint64_t address)
{
    for (unsigned i = 0; i < STACKS; i++) {
        if (address >= cpu->stack_top[i] - stack_size(i) && address <= cpu->stack_top[i] - 16 &&
            address % 8 == 0)
            return true;
    }
    return false;
}

void backtrace(uint64_t rip, uint64_t rbp)
{
    const struct cpu *cpu = this_cpu();
    log_error("  at %pS", (void *)rip);
    for (unsigned i = 0; i < BACKTRACE_DEPTH && on_stack(cpu, rbp); i++) {
        const uint64_t *frame = (const uint64_t *)rbp;
        if (!frame[1])
            break;
        log_error("  from %pB", (void *)frame[1]); /* a return address: of the call before it */
        rbp = frame[0]; /* through a trap it leads to another stack, above or below */
    }
}

static _Noreturn void stop(void)
{
    for (;;)
        __asm__ volatile("cli; hlt");
}

/* A fault inside the panic: what was said so far must do, but it must get out. The line may fault as well. */
static _Noreturn void stop_in_panic(const struct trap_frame *frame)
{
    static _Atomic uint32_t again;
    switch (atomic_fetch_add(&again, 1)) {
    case 0:
        log_error("vector %lu inside the panic, at %pS", frame->vector, (void *)frame->rip);
        log_flush_panic();
        break;
    case 1:
        log_flush_panic();
        break;
    }
    stop();
}

void panic_enter(const struct trap_frame *frame)
{
    struct cpu *cpu = this_cpu();
    if (cpu->context == LOG_PANIC)
        stop_in_panic(frame);
    cpu->context = LOG_PANIC;
    cpu_set_phase(cpu, PHASE_PANIC);
    uint32_t none = 0;
    atomic_compare_exchange_strong(&panic_word, &none, cpu->index + 1);
}

static void name_those_that_run(const struct cpu *self)
{
    for (unsigned i = 0; i < cpu_count; i++) {
        struct cpu *cpu = &cpus[i];
        if (cpu != self && atomic_load(&cpu->state) != CPU_ABSENT && !atomic_load(&stopped[i]))
            log_error("cpu%u has not stopped: phase %s, last exit %s, guest rip 0x%lx, last host rip %pS", i,
                      cpu_phase_name(atomic_load_explicit(&cpu->phase, memory_order_relaxed)),
                      exit_name(cpu->vcpu.exit.reason), cpu->vcpu.rip,
                      (void *)atomic_load(&cpu->sampled_rip));
    }
}

void panic_finish(const struct trap_frame *frame)
{
    struct cpu *self = this_cpu();
    backtrace(frame->rip, frame->rbp);
    if (atomic_load(&panic_word) == self->index + 1) {
        for (unsigned round = 0; round < 2; round++) {
            for (unsigned i = 0; i < cpu_count; i++)
                if (&cpus[i] != self && atomic_load(&cpus[i].state) != CPU_ABSENT)
                    doorbell_ring_again(&cpus[i]);
            clock_delay_us(GRACE_US);
        }
        name_those_that_run(self);
        log_flush_panic();
        log_error("panic: stopped; reset the machine");
        log_flush_panic(); /* in async mode it waits in its ring */
        log_drain();
    }
    stop();
}

static _Noreturn void join(struct cpu *cpu, uint64_t rip, uint64_t rbp)
{
    if (cpu->context == LOG_PANIC) /* reported before */
        stop();
    cpu->context = LOG_PANIC;
    const struct exit *exit = &cpu->vcpu.exit;
    log_error("cpu%u stopped for the panic of cpu%u", cpu->index, atomic_load(&panic_word) - 1);
    log_error("  phase %s, last exit %s (code 0x%lx, info 0x%lx, 0x%lx), guest rip 0x%lx",
              cpu_phase_name(atomic_load_explicit(&cpu->phase, memory_order_relaxed)),
              exit_name(exit->reason), exit->code, exit->info1, exit->info2, cpu->vcpu.rip);
    backtrace(rip, rbp);
    atomic_store(&stopped[cpu->index], true);
    stop();
}

void panic_poll(void)
{
    if (panic_called())
        join(this_cpu(), (uint64_t)__builtin_return_address(0), (uint64_t)__builtin_frame_address(0));
}

void panic_nmi(const struct trap_frame *frame)
{
    struct cpu *cpu = this_cpu();
    uint32_t word = atomic_load(&panic_word);
    if (word && word != cpu->index + 1 && panic_nmis[cpu->index]++)
        join(cpu, frame->rip, frame->rbp);
}
