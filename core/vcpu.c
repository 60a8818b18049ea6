/*
 * The loop that runs the guest on one CPU, and the register and instruction services around it.
 *
 *   boundary:  other CPUs' requests are served here and nowhere else (panic, INIT, wait-for-SIPI, quiesce)
 *   close:     NMIs held; the last look. A request published after it comes with a doorbell that ends the entry at once
 *   enter:     the guest runs until its exit
 *   open:      a doorbell that came meanwhile is taken by the host's NMI handler now, before anything parks
 *   dispatch:  exit.c
 */
#include "core/vcpu.h"
#include "core/cpu.h"
#include "core/guest/start.h"
#include "core/panic.h"
#include "core/quiesce.h"
#include "core/string.h"
#include "core/view.h"
#include "core/x86/asm.h"

enum { PUMP_RECORDS = 4, DR6_BS = 1 << 14, LINEAR_32 = 0xFFFFFFFFu };

const struct backend *backend;

/* The look at the mail box. Any of these keeps the CPU out of the guest. */
static bool wanted(const struct cpu *cpu)
{
    return quiesce_wanted(cpu) || atomic_load(&cpu->guest_init) || atomic_load(&cpu->state) == CPU_WAIT_SIPI;
}

static void boundary(struct vcpu *vcpu)
{
    struct cpu *cpu = vcpu->cpu;
    do {
        panic_poll();
        if (atomic_load(&cpu->guest_init))
            start_take_init(vcpu);
        if (atomic_load(&cpu->state) == CPU_WAIT_SIPI)
            start_wait_sipi(vcpu);
        if (quiesce_wanted(cpu))
            quiesce_park(cpu);
    } while (wanted(cpu));
    cpu_set_phase(cpu, PHASE_BOUNDARY);
}

_Noreturn void vcpu_loop(struct vcpu *vcpu)
{
    struct cpu *cpu = vcpu->cpu;
    struct exit exit;
    for (;;) {
        boundary(vcpu);
        log_pump(cpu->index, PUMP_RECORDS);
        backend->close();
        if (wanted(cpu)) {
            backend->open();
            continue;
        }
        cpu_set_phase(cpu, PHASE_GUEST);
        backend->enter(vcpu, &exit);
        cpu_set_phase(cpu, PHASE_EXIT);
        backend->open();
        exit_dispatch(vcpu, &exit);
    }
}

unsigned vcpu_index(const struct vcpu *vcpu) { return vcpu->cpu->index; }

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

void vcpu_get_segment(struct vcpu *vcpu, enum segment_name name, struct segment *out) { backend->segment(vcpu, name, out); }

void *vcpu_app(const struct vcpu *vcpu) { return vcpu->app; }
void vcpu_set_app(struct vcpu *vcpu, void *state) { vcpu->app = state; }
struct vcpu *vcpu_of(unsigned cpu) { return cpu < cpu_count ? &cpus[cpu].vcpu : NULL; }

void vcpu_intercept_exceptions(struct vcpu *vcpu, bool on) { vcpu->exceptions_intercepted = on; }
void vcpu_hold_nmi(struct vcpu *vcpu, bool on) { vcpu->nmi_held = on; }

/* An exception while another one was being delivered is a double fault (SDM vol. 3, table 6-5, without the benign pairs, which do not exit here);
   an interrupt whose delivery faults is lost, as on the CPU. */
void vcpu_inject(struct vcpu *vcpu, unsigned vector, bool has_error, uint32_t error_code)
{
    if (vcpu->requeued.type == EVENT_EXCEPTION && vector != VEC_DB) {
        vector = VEC_DF;
        has_error = true;
        error_code = 0;
    }
    vcpu->requeued.type = EVENT_NONE;
    vcpu->event = (struct event){EVENT_EXCEPTION, (uint8_t)vector, has_error, error_code};
}

void vcpu_inject_gp(struct vcpu *vcpu) { vcpu_inject(vcpu, VEC_GP, true, 0); }

void guest_space_of(struct vcpu *vcpu, struct guest_space *space)
{
    *space = (struct guest_space){.view = vcpu->view,
                                  .cr3 = vcpu_get(vcpu, REG_CR3),
                                  .paging = vcpu_get(vcpu, REG_CR0) & CR0_PG,
                                  .pae = vcpu_get(vcpu, REG_CR4) & CR4_PAE,
                                  .long_mode = vcpu_get(vcpu, REG_EFER) & EFER_LMA,
                                  .nx = vcpu_get(vcpu, REG_EFER) & EFER_NXE};
}

enum insn_mode vcpu_insn_mode(struct vcpu *vcpu)
{
    struct segment cs;
    vcpu_get_segment(vcpu, SEG_CS, &cs);
    if (cs.attributes & SEGMENT_LONG && vcpu_get(vcpu, REG_EFER) & EFER_LMA)
        return INSN_64;
    return cs.attributes & SEGMENT_BIG ? INSN_32 : INSN_16;
}

unsigned vcpu_fetch(struct vcpu *vcpu, uint8_t bytes[INSN_MAX])
{
    struct guest_space space;
    struct segment cs;
    guest_space_of(vcpu, &space);
    vcpu_get_segment(vcpu, SEG_CS, &cs);
    bool wide = vcpu_insn_mode(vcpu) == INSN_64;
    uint64_t linear = wide ? vcpu->rip : (cs.base + vcpu->rip) & LINEAR_32;
    unsigned n = 0;
    while (n < INSN_MAX) {
        struct guest_page page;
        uint64_t at = wide ? linear + n : (linear + n) & LINEAR_32;
        const uint8_t *memory = guest_translate(&space, at, &page) ? NULL : view_memory(space.view, page.gpa, ACCESS_EXEC);
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

void vcpu_advance(struct vcpu *vcpu, unsigned length)
{
    uint64_t rip = vcpu->rip + length;
    vcpu->rip = vcpu_insn_mode(vcpu) == INSN_64 ? rip : rip & LINEAR_32;
    vcpu->rflags &= ~(uint64_t)RFLAGS_RF;
    backend->clear_shadow(vcpu);
    if (vcpu->rflags & RFLAGS_TF) {
        vcpu_set(vcpu, REG_DR6, vcpu_get(vcpu, REG_DR6) | DR6_BS);
        vcpu_inject(vcpu, VEC_DB, false, 0);
    }
}

int vcpu_skip(struct vcpu *vcpu, const struct exit *exit)
{
    if (exit->next_rip) {
        vcpu_advance(vcpu, (unsigned)(exit->next_rip - vcpu->rip));
        return 0;
    }
    uint8_t bytes[INSN_MAX];
    struct insn insn;
    unsigned n = vcpu_fetch(vcpu, bytes);
    int length = n ? insn_decode(bytes, n, vcpu_insn_mode(vcpu), &insn) : -E_FAULT;
    if (length > 0) {
        vcpu_advance(vcpu, (unsigned)length);
        return 0;
    }
    /* Another guest CPU changed the code under this one: executed again, the new code does what it does. */
    log_warn("instruction at 0x%lx cannot be read back (exit 0x%lx, %u bytes): executed again", vcpu->rip, exit->code, n);
    return -E_FAULT;
}
