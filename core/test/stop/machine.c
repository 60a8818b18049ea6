/* See machine.h. Not instrumented: machine_point() and its like alone are places to switch. */
#include "core/test/stop/machine.h"
#include "core/doorbell.h"
#include "core/guest/lapic.h"
#include "core/guest/policy.h"
#include "core/hang.h"
#include "core/hosttest.h"
#include "core/limit.h"
#include "core/memory.h"
#include "core/panic.h"
#include "core/quiesce.h"
#include "core/selftest.h"
#include "core/stall.h"
#include "core/svm/svm.h"
#include "core/test/stop/guest.h"
#include "core/test/stop/instructions.h"
#include "core/view.h"
#include "core/vmx/vmx.h"
#include "core/x86/apic.h"
#include "core/x86/clock.h"
#include "core/x86/fault.h"
#include "core/x86/trap.h"
#include "log/explorer/explorer.h"

#include <asm/prctl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct hardware hardware[MAX_CPUS];
static unsigned reports;

/* Places whose RIP trap.c moves: the shipped assembly has them at these names. */
__asm__(".data\n.globl cpu_wait_look, cpu_wait_end, msr_read_at, msr_write_at, xsetbv_at, msr_fault\n"
        "cpu_wait_look: .skip 2\ncpu_wait_end: .skip 2\n"
        "msr_read_at: .skip 1\nmsr_write_at: .skip 1\nxsetbv_at: .skip 1\nmsr_fault: .skip 1\n.text");
extern char cpu_wait_look[], cpu_wait_end[];

static bool is_cpu(int context)
{
    return context >= 0 && context < (int)cpu_count;
}

/* this_cpu() reads GS. */
static void set_gs(int context)
{
    static const struct cpu *loaded;
    if (!is_cpu(context) || loaded == &cpus[context])
        return;
    loaded = &cpus[context];
    if (syscall(SYS_arch_prctl, ARCH_SET_GS, loaded))
        abort();
}

/* The handler, to its IRET. */
static void handle_nmi(unsigned self)
{
    struct hardware *cpu = &hardware[self];
    struct trap_frame frame = {.vector = VEC_NMI, .rip = cpu->rip};
    cpu->blocked = true;
    trap_handle(&frame);
    set_gs((int)self);
    cpu->rip = frame.rip;
    cpu->blocked = false;
    cpu->nmis++;
}

void machine_take_nmi(void)
{
    int self = explorer_self();
    if (!is_cpu(self))
        return;
    struct hardware *cpu = &hardware[self];
    set_gs(self);
    while (cpu->latch && cpu->gif && !cpu->blocked) {
        cpu->latch = false;
        handle_nmi((unsigned)self);
    }
}

void machine_int_nmi(void)
{
    handle_nmi((unsigned)explorer_self());
    machine_take_nmi();
}

bool machine_nmi_pends(void)
{
    const struct hardware *cpu = &hardware[explorer_self()];
    return cpu->latch && !cpu->blocked;
}

void __real_doorbell_taken(struct cpu *cpu, uint64_t rip);
void __wrap_doorbell_taken(struct cpu *cpu, uint64_t rip);
void __wrap_doorbell_taken(struct cpu *cpu, uint64_t rip)
{
    struct hardware *mine = &hardware[cpu->index];
    uint64_t unknown = cpu->vcpu.nmis_unknown;
    __real_doorbell_taken(cpu, rip);
    if (cpu->vcpu.nmis_unknown == unknown)
        return;
    mine->due = true;
    if (--mine->owed + (int)mine->rung_again < 0)
        explorer_fail("nmi: an NMI was taken for the guest's that nobody outside sent");
}

void machine_point(bool moves)
{
    explorer_point(moves);
    machine_take_nmi();
}

void machine_wait(void)
{
    explorer_wait();
    machine_take_nmi();
}

void machine_touch(const volatile void *word, size_t size, bool write)
{
    explorer_access((const void *)word, size, write);
    machine_take_nmi();
}

/* hooks.c calls this one in place of the explorer's, by the linker's --wrap. */
void __real_explorer_access(const void *address, size_t size, bool write);
void __wrap_explorer_access(const void *address, size_t size, bool write);
void __wrap_explorer_access(const void *address, size_t size, bool write)
{
    __real_explorer_access(address, size, write);
    machine_take_nmi();
}

/* So does the shipped code that exchanges a word: the exchange of guest_nmi is where an NMI is taken. */
uint32_t __real___tsan_atomic32_exchange(volatile uint32_t *at, uint32_t value, int order);
uint32_t __wrap___tsan_atomic32_exchange(volatile uint32_t *at, uint32_t value, int order);
uint32_t __wrap___tsan_atomic32_exchange(volatile uint32_t *at, uint32_t value, int order)
{
    uint32_t old = __real___tsan_atomic32_exchange(at, value, order);
    int self = explorer_self();
    if (old && is_cpu(self) && (void *)at == (void *)&cpus[self].guest_nmi) {
        hardware[self].taken |= hardware[self].due;
        hardware[self].due = false;
    }
    return old;
}

void machine_nmi(unsigned target)
{
    if (!hardware[target].latch) {
        hardware[target].latch = true;
        return;
    }
    if (--hardware[target].owed + (int)hardware[target].rung_again < 0)
        explorer_fail("nmi: two doorbells merged in the latch");
}

void machine_reset(unsigned count, bool vmx)
{
    cpu_count = count;
    reports = 0;
    memset(cpus, 0, sizeof cpus);
    memset(hardware, 0, sizeof hardware);
    shipped_reset();
    for (unsigned i = 0; i < count; i++) {
        cpus[i].self = &cpus[i];
        cpus[i].index = cpus[i].apic_id = i;
        cpus[i].state = CPU_RUNNING;
        cpus[i].vcpu.cpu = &cpus[i];
        hardware[i].gif = true;
        hardware[i].backlog = BACKLOG;
        hardware[i].rip = RIP_ELSEWHERE;
    }
    guest_reset(vmx);
}

/* ---- what the shipped code calls ---- */

/* A deadline of 0 has always passed: until this many reports, then time stands still. */
static void reported(void)
{
    if (++reports == REPORTS)
        quiesce_deadline_ms = NO_DEADLINE_MS;
}

void __real_doorbell_ring_again(struct cpu *target);
void __wrap_doorbell_ring_again(struct cpu *target);
void __wrap_doorbell_ring_again(struct cpu *target)
{
    hardware[target->index].rung_again++;
    reported();
    __real_doorbell_ring_again(target);
}

void __real_hang_parked(struct cpu *owner, uint64_t round, uint64_t parked_ms, bool ask);
void __wrap_hang_parked(struct cpu *owner, uint64_t round, uint64_t parked_ms, bool ask);
void __wrap_hang_parked(struct cpu *owner, uint64_t round, uint64_t parked_ms, bool ask)
{
    reported();
    __real_hang_parked(owner, round, parked_ms, ask);
}

uint64_t tsc_khz = 1;
_Atomic int log_finest = -1; /* no record is made: log/explorer has the log's own interleavings */
_Atomic uint64_t view_generation;

void cpu_wait(_Atomic uint32_t *word, uint32_t value)
{
    struct hardware *cpu = &hardware[explorer_self()];
    cpu->pumped = false;
    if (cpu->backlog)
        explorer_fail("log: a CPU halts, and has not sent what its log has");
    for (;;) {
        cpu->rip = (uint64_t)cpu_wait_look;
        machine_touch(word, sizeof *word, false);
        if (*word != value)
            break;
        cpu->rip = (uint64_t)cpu_wait_look + 1;
        machine_point(false);
        if (cpu->rip == (uint64_t)cpu_wait_look)
            continue; /* the handler moved it back */
        uint32_t nmis = cpu->nmis;
        cpu->rip = (uint64_t)cpu_wait_end;
        while (cpu->nmis == nmis) {
            guest_leave_if_over();
            machine_wait();
        }
        break;
    }
    cpu->rip = RIP_ELSEWHERE;
}

bool apic_send(uint32_t apic_id, uint32_t icr_low, uint32_t keep)
{
    (void)icr_low, (void)keep;
    machine_point(true);
    machine_nmi(apic_id);
    machine_take_nmi();
    return true;
}

void views_changed(void)
{
    machine_touch(&view_generation, sizeof view_generation, true);
    view_generation++;
}

/* The waits of quiesce.c poll for a panic (-Dpanic_poll there): a parked CPU's halts, the others spin. */
void quiesce_panic_poll(void);
void quiesce_panic_poll(void)
{
    if (this_cpu()->phase != PHASE_PARKED)
        machine_wait();
}
void panic_poll(void) {}
_Atomic uint32_t panic_word;
void panic_nmi(const struct trap_frame *frame)
{
    (void)frame;
}
void hosttest_nmi(void) {}
bool hosttest_step(struct trap_frame *frame)
{
    (void)frame;
    return false;
}
void lapic_reset(struct vcpu *vcpu)
{
    (void)vcpu;
}
/* At exits nothing is sent: all is left to those that park, or wait for SIPI. */
bool log_waits(unsigned cpu)
{
    (void)cpu;
    return false;
}
/* A parked CPU that stays awake comes here again without having halted. */
bool log_pump(unsigned cpu, unsigned most)
{
    struct hardware *mine = &hardware[cpu];
    mine->backlog -= mine->backlog < most ? mine->backlog : most;
    if (mine->backlog)
        return true;
    bool parked = cpus[cpu].phase == PHASE_PARKED;
    if (parked && mine->pumped)
        machine_wait();
    mine->pumped = parked;
    return false;
}
void log_push(void) {}
bool log_pump_at_exit(unsigned cpu, unsigned most)
{
    return log_pump(cpu, most);
}
void stall_nmi(void) {}
void selftest_trap(uint64_t vector)
{
    (void)vector;
}
bool stall_step(void)
{
    return false;
}
bool msr_read_safe(uint32_t msr, uint64_t *value)
{
    (void)msr, (void)value;
    return false;
}
bool msr_write_safe(uint32_t msr, uint64_t value)
{
    (void)msr, (void)value;
    return false;
}

const char *exit_name(enum exit_reason reason)
{
    (void)reason;
    return "";
}
void backtrace(uint64_t rip, uint64_t rbp)
{
    (void)rip, (void)rbp;
}
bool limit_pass(struct limit *limit)
{
    (void)limit;
    return true;
}

/* And what it names, and does not come to here. */
#define NEVER(declaration)                                                                                   \
    declaration                                                                                              \
    {                                                                                                        \
        abort();                                                                                             \
    }
#pragma GCC diagnostic ignored "-Wunused-parameter"
_Atomic uint32_t stall_armed;
NEVER(_Noreturn void stall_for_good(enum stall where))
NEVER(void *memory_carve(size_t size))
NEVER(void svm_explain(struct vcpu *vcpu, const struct exit *exit))
NEVER(bool vmx_present(void))
NEVER(const char *vmx_probe(void))
NEVER(const char *vmx_unlock(void))
NEVER(uint64_t vmx_read(struct vcpu *vcpu, enum reg reg))
NEVER(void vmx_write(struct vcpu *vcpu, enum reg reg, uint64_t value))
NEVER(void vmx_read_system(struct vcpu *vcpu, uint64_t regs[REG_CPL]))
NEVER(void vmx_write_system(struct vcpu *vcpu, const uint64_t regs[REG_CPL]))
NEVER(bool vmx_write_cr0(struct vcpu *vcpu, uint64_t value))
NEVER(bool vmx_load_pdptes(struct vcpu *vcpu))
NEVER(void vmx_cr_exit(struct vcpu *vcpu, const struct exit *exit))
NEVER(void vmx_xsetbv_exit(struct vcpu *vcpu, const struct exit *exit))
NEVER(void vmx_segment(struct vcpu *vcpu, enum segment_name name, struct segment *out))
NEVER(void vmx_clear_shadow(struct vcpu *vcpu))
NEVER(void vmx_explain(struct vcpu *vcpu, const struct exit *exit))
NEVER(uint64_t vmx_nested_leaf(uint64_t address, unsigned prot, bool large))
NEVER(uint64_t vmx_nested_table(uint64_t address))
NEVER(unsigned vmx_nested_prot(uint64_t entry))
NEVER(bool vmx_nested_whole(uint64_t address, uint64_t size))
NEVER(const struct trapped_msr *policy_msr(unsigned i))
NEVER(bool policy_port_trapped(uint16_t port))
NEVER(enum stack stack_of_guard(const struct cpu *cpu, uint64_t address))
NEVER(const char *stack_name(enum stack stack))
NEVER(size_t stack_size(enum stack stack))
NEVER(void panic_enter(const struct trap_frame *frame))
NEVER(void fault_explain(const struct trap_frame *frame, uint64_t cr2))
NEVER(_Noreturn void panic_finish(const struct trap_frame *frame))
NEVER(void log_record_0(uintptr_t site))
NEVER(void log_record_1(uintptr_t site, uint64_t a))
NEVER(void log_record_2(uintptr_t site, uint64_t a, uint64_t b))
NEVER(void log_record_3(uintptr_t site, uint64_t a, uint64_t b, uint64_t c))
NEVER(void log_record_n(uintptr_t site, unsigned count, const uint64_t *args))
NEVER(void log_record_strings(uintptr_t site, unsigned count, const uint64_t *args, unsigned strings))
