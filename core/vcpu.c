/*
 * The loop that runs the guest on one CPU, and the register and instruction services around it.
 *
 *   boundary   other CPUs' requests are served here and nowhere else (panic, INIT, wait-for-SIPI, quiesce)
 *   close      NMIs held; the last look. A request published after it comes with a doorbell that ends the
 *              entry at once
 *   enter      the guest runs until its exit
 *   open       a doorbell that came meanwhile is taken by the host's NMI handler now, before anything parks
 *   dispatch   exit.c
 */
#include "core/vcpu.h"
#include "core/cpu.h"
#include "core/guest/shutdown.h"
#include "core/guest/start.h"
#include "core/panic.h"
#include "core/quiesce.h"
#include "core/string.h"
#include "core/view.h"
#include "core/x86/asm.h"

enum { PUMP_RECORDS = 16, LINEAR_32 = 0xFFFFFFFFu };
enum { DR6_BS = 1 << 14, DR7_GD = 1 << 13, DEBUGCTL_LBR = 1 << 0, DEBUGCTL_BTF = 1 << 1 };

const struct backend *backend;

/* The look at the mail box. Any of these keeps the CPU out of the guest. */
static inline bool wanted(const struct cpu *cpu)
{
    return quiesce_wanted(cpu) || (atomic_load(&cpu->guest_start) & START_INIT) ||
           atomic_load(&cpu->state) == CPU_WAIT_SIPI || panic_called();
}

static __attribute__((noinline)) void boundary(struct vcpu *vcpu)
{
    struct cpu *cpu = vcpu->cpu;
    cpu_set_phase(cpu, PHASE_BOUNDARY);
    do {
        panic_poll();
        if (atomic_load(&cpu->guest_start) & START_INIT)
            start_take_init(vcpu);
        if (atomic_load(&cpu->state) == CPU_WAIT_SIPI)
            start_wait_sipi(vcpu);
        if (quiesce_wanted(cpu))
            quiesce_park(cpu);
    } while (wanted(cpu));
    cpu_set_phase(cpu, PHASE_BOUNDARY);
}

/* Part of it; who is wanted first goes to the boundary. */
static __attribute__((noinline)) bool send_backlog(const struct cpu *cpu)
{
    return wanted(cpu) || log_pump_at_exit(cpu->index, PUMP_RECORDS);
}

_Noreturn void vcpu_loop(struct vcpu *vcpu)
{
    struct cpu *cpu = vcpu->cpu;
    for (;;) {
        vcpu->backlog = log_waits(cpu->index) && send_backlog(cpu);
        backend->close();
        if (wanted(cpu)) {
            backend->open();
            boundary(vcpu);
            continue;
        }
        cpu_set_phase(cpu, vcpu->view == view_main() ? PHASE_GUEST : PHASE_ISOLATED);
        backend->enter(vcpu, &vcpu->exit);
        cpu_set_phase(cpu, PHASE_EXIT);
        backend->open();
        exit_dispatch(vcpu, &vcpu->exit);
    }
}

unsigned vcpu_index(const struct vcpu *vcpu)
{
    return vcpu->cpu->index;
}

uint64_t vcpu_get(struct vcpu *vcpu, enum reg reg)
{
    if (reg <= REG_R15)
        return vcpu->gpr[reg];
    return reg == REG_RIP ? vcpu->rip : reg == REG_RFLAGS ? vcpu->rflags : backend->read(vcpu, reg);
}

void vcpu_set(struct vcpu *vcpu, enum reg reg, uint64_t value)
{
    if (reg <= REG_R15)
        vcpu->gpr[reg] = value;
    else if (reg == REG_RIP)
        vcpu->rip = value;
    else if (reg == REG_RFLAGS)
        vcpu->rflags = value;
    else
        backend->write(vcpu, reg, value);
}

void vcpu_get_all(struct vcpu *vcpu, uint64_t regs[REG_CPL])
{
    __builtin_memcpy(regs, vcpu->gpr, sizeof vcpu->gpr);
    regs[REG_RIP] = vcpu->rip;
    regs[REG_RFLAGS] = vcpu->rflags;
    backend->read_system(vcpu, regs);
}

void vcpu_set_all(struct vcpu *vcpu, const uint64_t regs[REG_CPL])
{
    __builtin_memcpy(vcpu->gpr, regs, sizeof vcpu->gpr);
    vcpu->rip = regs[REG_RIP];
    vcpu->rflags = regs[REG_RFLAGS];
    backend->write_system(vcpu, regs);
}

void vcpu_get_segment(struct vcpu *vcpu, enum segment_name name, struct segment *out)
{
    backend->segment(vcpu, name, out);
}

void *vcpu_app(const struct vcpu *vcpu)
{
    return vcpu->app;
}
void vcpu_set_app(struct vcpu *vcpu, void *state)
{
    vcpu->app = state;
}

void vcpu_intercept_exceptions(struct vcpu *vcpu, bool on)
{
    vcpu->exceptions_intercepted = on;
}
void vcpu_hold_nmi(struct vcpu *vcpu, bool on)
{
    vcpu->nmi_held = on;
}

enum { CONTRIBUTORY = 1 << VEC_DE | 1 << VEC_TS | 1 << VEC_NP | 1 << VEC_SS | 1 << VEC_GP };

/* An exception while another one was being delivered (SDM vol. 3, tables 6-4 and 6-5): a double fault, or the
   second alone, or the end. An interrupt whose delivery faults is lost, as on the CPU. */
void vcpu_inject(struct vcpu *vcpu, unsigned vector, bool has_error, uint32_t error_code)
{
    struct event first = vcpu->requeued;
    vcpu->requeued.type = EVENT_NONE;
    if (first.type == EVENT_EXCEPTION) {
        bool first_page = first.vector == VEC_PF, first_contributes = CONTRIBUTORY >> first.vector & 1;
        bool contributes = CONTRIBUTORY >> vector & 1;
        if (first.vector == VEC_DF) {
            log_warn("guest triple fault: vector %u while a double fault was delivered", vector);
            shutdown_reset(vcpu);
            return;
        }
        if ((first_page && (contributes || vector == VEC_PF)) || (first_contributes && contributes)) {
            vector = VEC_DF;
            has_error = true;
            error_code = 0;
        }
    }
    vcpu->event = (struct event){EVENT_EXCEPTION, (uint8_t)vector, has_error, error_code};
}

void vcpu_inject_gp(struct vcpu *vcpu)
{
    vcpu_inject(vcpu, VEC_GP, true, 0);
}

/* A #DB that the CPU raises does this beside it (SDM vol. 3, 18.2.4, 18.4.1, 18.4.3). */
void vcpu_inject_debug(struct vcpu *vcpu)
{
    uint64_t debugctl = vcpu_get(vcpu, REG_DEBUGCTL);
    if (debugctl & (DEBUGCTL_LBR | DEBUGCTL_BTF))
        vcpu_set(vcpu, REG_DEBUGCTL, debugctl & ~(uint64_t)(DEBUGCTL_LBR | DEBUGCTL_BTF));
    vcpu_set(vcpu, REG_DR7, vcpu_get(vcpu, REG_DR7) & ~(uint64_t)DR7_GD);
    vcpu_inject(vcpu, VEC_DB, false, 0);
}

void guest_space_of(struct vcpu *vcpu, struct guest_space *space)
{
    uint64_t cr4 = backend->read(vcpu, REG_CR4), efer = backend->read(vcpu, REG_EFER);
    space->view = vcpu->view;
    space->cr3 = backend->read(vcpu, REG_CR3);
    space->paging = backend->read(vcpu, REG_CR0) & CR0_PG;
    space->pae = cr4 & CR4_PAE;
    space->la57 = cr4 & CR4_LA57;
    space->long_mode = efer & EFER_LMA;
    space->nx = efer & EFER_NXE;
    space->remembers = true;
    space->last_gva = 1; /* space->last is nothing yet */
}

static enum insn_mode insn_mode(struct vcpu *vcpu)
{
    struct segment cs;
    vcpu_get_segment(vcpu, SEG_CS, &cs);
    if (cs.attributes & SEGMENT_LONG && vcpu_get(vcpu, REG_EFER) & EFER_LMA)
        return INSN_64;
    return cs.attributes & SEGMENT_BIG ? INSN_32 : INSN_16;
}

static unsigned fetch(struct vcpu *vcpu, uint8_t bytes[INSN_MAX])
{
    struct guest_space space;
    struct segment cs;
    guest_space_of(vcpu, &space);
    vcpu_get_segment(vcpu, SEG_CS, &cs);
    bool wide = insn_mode(vcpu) == INSN_64;
    uint64_t linear = wide ? vcpu->rip : (cs.base + vcpu->rip) & LINEAR_32;
    unsigned n = 0;
    while (n < INSN_MAX) {
        struct guest_page page;
        uint64_t at = wide ? linear + n : (linear + n) & LINEAR_32;
        const uint8_t *memory =
            guest_translate(&space, at, &page) ? NULL : view_memory(space.view, page.gpa, ACCESS_EXEC);
        if (!memory)
            break;
        unsigned offset = page.gpa % PAGE_SIZE, chunk = INSN_MAX - n;
        if (chunk > PAGE_SIZE - offset)
            chunk = (unsigned)(PAGE_SIZE - offset);
        memcpy(bytes + n, memory + offset, chunk);
        n += chunk;
    }
    return n;
}

int vcpu_decode(struct vcpu *vcpu, struct insn *insn)
{
    uint8_t bytes[INSN_MAX];
    return insn_decode(bytes, fetch(vcpu, bytes), insn_mode(vcpu), insn);
}

/* What is rare at an instruction's end. Outside of 64-bit mode RIP has 32 bits. */
static __attribute__((noinline)) void wrap_or_step(struct vcpu *vcpu)
{
    if (insn_mode(vcpu) != INSN_64)
        vcpu->rip &= LINEAR_32;
    if (vcpu->rflags & RFLAGS_TF) {
        vcpu_set(vcpu, REG_DR6, vcpu_get(vcpu, REG_DR6) | DR6_BS);
        vcpu_inject_debug(vcpu);
    }
    backend->clear_shadow(vcpu);
}

void vcpu_advance(struct vcpu *vcpu, unsigned length)
{
    uint64_t old = vcpu->rip, next = old + length, rflags = vcpu->rflags & ~(uint64_t)RFLAGS_RF;
    vcpu->rip = next;
    vcpu->rflags = rflags;
    if ((old ^ next) >> 32 || rflags & RFLAGS_TF)
        wrap_or_step(vcpu);
    else
        backend->clear_shadow(vcpu);
}

/* Where neither the CPU nor the code tells the length (code in ROM, or changed meanwhile): that of the
   instruction without prefixes. Skipping cannot fail, since the instruction's effect is there already. */
static unsigned usual_length(enum exit_reason reason)
{
    switch (reason) {
    case EXIT_HLT:
        return 1;
    case EXIT_HYPERCALL:
    case EXIT_EXCEPTION: /* the other vendor's hypercall */
        return 3;
    default:
        return 2;
    }
}

static __attribute__((noinline)) void skip_decoded(struct vcpu *vcpu, const struct exit *exit)
{
    struct insn insn;
    int length = vcpu_decode(vcpu, &insn);
    vcpu_advance(vcpu, length > 0 ? (unsigned)length : usual_length(exit->reason));
}

void vcpu_skip(struct vcpu *vcpu, const struct exit *exit)
{
    if (exit->next_rip)
        vcpu_advance(vcpu, (unsigned)(exit->next_rip - vcpu->rip));
    else
        skip_decoded(vcpu, exit);
}
