/* See guest.h. Not instrumented. */
#include "core/test/stop/guest.h"
#include "core/doorbell.h"
#include "core/guest/start.h"
#include "core/quiesce.h"
#include "core/svm/svm.h"
#include "core/test/stop/machine.h"
#include "core/view.h"
#include "core/x86/asm.h"
#include "log/explorer/explorer.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

enum { RIP_STEPS = 0x1000, RIP_HANDLER = 0x2000, MAX_TRIES = 3000 };
enum { DR6_BS = 1 << 14 };

extern char guest_look[], guest_look_end[];

/* What the guest on a CPU is doing; everything here is touched by its own context, and between runs. */
static struct guest {
    const struct guest_step *steps;
    jmp_buf out;
    bool busy;     /* from the last look to the next boundary */
    bool idle;     /* in the guest, with nothing left to do */
    bool retrying; /* quiesce_begin said -E_AGAIN: executes the instruction again */
    bool in_nmi;   /* its NMI handler */
    uint64_t handler_returns, handler_flags;
    bool injected;
    uint64_t flushed;   /* the view generation at its last flush */
    unsigned overtaken; /* rounds of others since it lost the race for the machine */
    bool lost;
    /* VMX only. */
    uint32_t nmis_at_close;
    bool nmi_window;
} guests[MAX_CPUS];

static bool over;
static int held = -1; /* who believes that all others stand still */
static unsigned tries;
static uint64_t last_sum;
static bool button_again; /* the last trial: an NMI from outside reaches each guest */
static struct vmcb vmcbs[MAX_CPUS];

const struct hypapp hypapp;
static struct backend svm, vmx;

static unsigned me(void)
{
    return (unsigned)explorer_self();
}

void guest_leave_if_over(void)
{
    if (over)
        longjmp(guests[me()].out, 1);
}

/* ---- the properties ---- */

/* The guest on this CPU is about to do something. */
static void check_alone(const char *what)
{
    if (held >= 0 && held != (int)me())
        explorer_fail(what);
}

static void hold_machine(void)
{
    held = (int)me();
    for (unsigned i = 0; i < cpu_count; i++)
        if (i != me() && guests[i].busy)
            explorer_fail("exclusion: the owner goes on while another CPU is in the guest or in an exit");
    views_changed();
    held = -1;
}

static void count_turns(void)
{
    guests[me()].lost = false;
    for (unsigned i = 0; i < cpu_count; i++)
        if (i != me() && guests[i].lost && ++guests[i].overtaken >= cpu_count)
            explorer_fail("turn: a loser was overtaken by more rounds than there are other CPUs");
}

/* ---- exits ---- */

static void send_nmi(unsigned target) /* guest/lapic.c */
{
    machine_touch(&cpus[target].guest_nmi, sizeof cpus[target].guest_nmi, true);
    cpus[target].guest_nmi = 1;
    hardware[target].due = true;
    if (target != me())
        doorbell_ring(&cpus[target]);
}

static bool quiesce(struct vcpu *vcpu)
{
    struct guest *guest = &guests[me()];
    if (quiesce_begin(vcpu)) {
        if (!guest->lost && shipped_losers() >> me() & 1) {
            guest->lost = true;
            guest->overtaken = 0;
        }
        guest->retrying = true;
        return false;
    }
    count_turns();
    guest->retrying = false;
    hold_machine();
    quiesce_end(vcpu);
    return true;
}

void exit_dispatch(struct vcpu *vcpu, const struct exit *exit)
{
    struct guest *guest = &guests[me()];
    if (exit->reason == EXIT_HYPERCALL) {
        check_alone("exclusion: an exit is handled while another CPU holds the machine");
        const struct guest_step *step = &guest->steps[vcpu->rip - RIP_STEPS];
        bool done = true;
        if (step->step == QUIESCE)
            done = quiesce(vcpu);
        else if (step->step == SEND_NMI)
            send_nmi(step->target);
        else if (step->step == SEND_INIT)
            start_init(&cpus[step->target]);
        else if (step->step == SEND_SIPI)
            start_sipi(&cpus[step->target], 1);
        vcpu->rip += done;
    }
    guest->busy = false;
}

/* ---- what the guest does ---- */

void guest_nmi_taken(void)
{
    struct hardware *cpu = &hardware[me()];
    if (!cpu->due)
        explorer_fail("icr: the guest gets an NMI that nobody sent");
    cpu->due = false;
}

static void take_injected_nmi(struct guest *guest, uint64_t *rip, uint64_t flags)
{
    if (guest->in_nmi)
        explorer_fail("nmi: the guest gets an NMI in its NMI handler");
    guest->in_nmi = guest->injected = true;
    guest->handler_returns = *rip;
    guest->handler_flags = flags;
    *rip = RIP_HANDLER;
}

/* Until an NMI, or until the guest has a step to do. */
static void run_guest(struct guest *guest, uint64_t rip)
{
    const struct hardware *cpu = &hardware[me()];
    machine_point(false);
    if (guest->retrying) /* a try that would change nothing is not made */
        explorer_wait();
    while (!cpu->latch && !guest->in_nmi && guest->steps[rip - RIP_STEPS].step == DONE) {
        guest->idle = true;
        explorer_wait();
        guest_leave_if_over();
        guest->idle = false;
    }
}

/* VMRUN, up to its exit (APM vol. 2, 15.5 to 15.21). */
static void vmrun(struct vmcb *vmcb)
{
    struct guest *guest = &guests[me()];
    check_alone("exclusion: a CPU enters the guest while another holds the machine");
    guest->flushed = vmcb->tlb_control ? view_generation : guest->flushed;
    if (guest->flushed != view_generation)
        explorer_fail("flush: a VMRUN without a flush after the views changed");
    vmcb->exit_interrupt_info = 0;
    if (vmcb->event_injection & SVM_EVENT_VALID) {
        take_injected_nmi(guest, &vmcb->rip, vmcb->rflags);
        vmcb->rflags &= ~(uint64_t)RFLAGS_TF;
    }
    for (;;) {
        run_guest(guest, vmcb->rip);
        if (hardware[me()].latch) { /* it stays in the latch */
            vmcb->exit_code = SVM_NMI;
            return;
        }
        if (!guest->in_nmi) {
            vmcb->exit_code = SVM_VMMCALL;
            return;
        }
        if (vmcb->intercept_misc1 & INTERCEPT_IRET) {
            vmcb->exit_code = SVM_IRET;
            return;
        }
        bool trap = vmcb->rflags & RFLAGS_TF;
        guest->in_nmi = false;
        vmcb->rip = guest->handler_returns;
        vmcb->rflags = guest->handler_flags;
        if (trap) {
            vmcb->dr6 |= DR6_BS;
            vmcb->exit_code = SVM_EXCEPTION + VEC_DB;
            return;
        }
    }
}

void svm_enter(struct vcpu *vcpu, uint64_t guest_vmcb, uint64_t host_vmcb)
{
    (void)vcpu, (void)host_vmcb;
    vmrun((struct vmcb *)guest_vmcb);
}

static void svm_enter_guest(struct vcpu *vcpu, struct exit *exit)
{
    guests[me()].busy = true;
    svm_backend.enter(vcpu, exit);
}

static void svm_close(void)
{
    machine_point(false);
    hardware[me()].gif = false;
}

static void svm_open(void)
{
    hardware[me()].gif = true;
    machine_take_nmi();
}

/* ---- VMX ---- */

static void vmx_close(void)
{
    machine_touch(&cpus[me()].nmi_seen, sizeof cpus[me()].nmi_seen, false);
    guests[me()].nmis_at_close = cpus[me()].nmi_seen;
}
static void vmx_open(void) {}

/* vmx/event.c: an NMI is injected, or the window is to exit. */
static bool vmx_prepare_nmi(struct guest *guest)
{
    _Atomic uint32_t *word = &cpus[me()].guest_nmi;
    machine_touch(word, sizeof *word, false);
    guest->nmi_window = *word && guest->in_nmi;
    if (!*word || guest->in_nmi)
        return false;
    machine_touch(word, sizeof *word, true);
    *word = 0;
    guest_nmi_taken();
    return true;
}

static void vmx_take_back(void)
{
    _Atomic uint32_t *word = &cpus[me()].guest_nmi;
    machine_touch(word, sizeof *word, true);
    *word = 1;
    hardware[me()].due = true;
}

/* vmx/enter.asm from vmx_look to VMRESUME. False: an NMI came first. */
static bool vmx_look(const struct guest *guest)
{
    struct hardware *cpu = &hardware[me()];
    bool same;
    do {
        cpu->rip = (uint64_t)guest_look;
        machine_touch(&cpus[me()].nmi_seen, sizeof cpus[me()].nmi_seen, false);
        same = cpus[me()].nmi_seen == guest->nmis_at_close;
        cpu->rip = (uint64_t)guest_look + 1;
        if (same)
            machine_point(false);
    } while (cpu->rip == (uint64_t)guest_look);
    cpu->rip = RIP_ELSEWHERE;
    return same;
}

/* In the guest an NMI exits and has left the latch; then the handler runs, by int $2 (SDM vol. 3, 28.3). */
static enum exit_reason vmx_run(struct vcpu *vcpu)
{
    struct guest *guest = &guests[me()];
    for (;;) {
        run_guest(guest, vcpu->rip);
        if (hardware[me()].latch)
            return EXIT_NMI;
        if (!guest->in_nmi)
            return EXIT_HYPERCALL;
        guest->in_nmi = false;
        vcpu->rip = guest->handler_returns;
        if (guest->nmi_window)
            return EXIT_NONE;
    }
}

static void vmx_enter_guest(struct vcpu *vcpu, struct exit *exit)
{
    struct guest *guest = &guests[me()];
    guest->busy = true;
    bool inject = vmx_prepare_nmi(guest);
    machine_touch(&view_generation, sizeof view_generation, false);
    guest->flushed = view_generation;
    exit->reason = EXIT_NONE;
    if (!vmx_look(guest)) {
        if (inject)
            vmx_take_back();
        return;
    }
    check_alone("exclusion: a CPU enters the guest while another holds the machine");
    if (guest->flushed != view_generation)
        explorer_fail("flush: an entry without a flush after the views changed");
    if (inject)
        take_injected_nmi(guest, &vcpu->rip, 0);
    hardware[me()].gif = false; /* NMIs exit */
    exit->reason = vmx_run(vcpu);
    hardware[me()].gif = true;
    machine_take_nmi();
}

/* ---- runs ---- */

/* INIT, then SIPI: the guest has no steps left. */
static void reset_vcpu(struct vcpu *vcpu)
{
    struct guest *guest = &guests[me()];
    svm_backend.reset(vcpu);
    guest->in_nmi = guest->retrying = guest->lost = false;
}

static void set_sipi(struct vcpu *vcpu, uint8_t vector)
{
    static const struct guest_step nothing[] = {{DONE, 0}};
    (void)vector;
    guests[me()].steps = nothing;
    hardware[me()].due = cpus[me()].guest_nmi; /* those from before are dropped */
    vcpu->rip = RIP_STEPS;
}

void guest_reset(bool with_vmx)
{
    memset(guests, 0, sizeof guests);
    memset(vmcbs, 0, sizeof vmcbs);
    over = button_again = false;
    held = -1;
    tries = 0;
    last_sum = 0;
    view_generation = 1;
    svm = svm_backend;
    svm.close = svm_close;
    svm.open = svm_open;
    svm.enter = svm_enter_guest;
    svm.reset = reset_vcpu;
    svm.set_sipi = set_sipi;
    vmx = svm;
    vmx.close = vmx_close;
    vmx.open = vmx_open;
    vmx.enter = vmx_enter_guest;
    vmx.look = guest_look;
    vmx.look_end = guest_look_end;
    backend = with_vmx ? &vmx : &svm;
    for (unsigned i = 0; i < cpu_count; i++) {
        cpus[i].vcpu.hw = &vmcbs[i];
        cpus[i].vcpu.view = view_main();
        cpus[i].vcpu.flush = true;
        cpus[i].vcpu.rip = RIP_STEPS;
        cpus[i].vcpu.rflags = RFLAGS_FIXED;
    }
}

void guest_run(unsigned cpu, const struct guest_step *steps)
{
    guests[cpu].steps = steps;
    if (!setjmp(guests[cpu].out))
        vcpu_loop(&cpus[cpu].vcpu);
}

/* ---- when nobody moves ---- */

struct view *view_main(void)
{
    static struct view view = {.root = PAGE_SIZE, .asid = 1};
    return &view;
}

static const char *what_is_left(unsigned i)
{
    static char where[200];
    const struct cpu *cpu = &cpus[i];
    if (!guests[i].idle) {
        snprintf(where, sizeof where,
                 "hang: cpu%u stands in phase %s, request %lu, parked %lu; rounds %lu, rung %u, NMI %s", i,
                 cpu_phase_name(cpu->phase), cpu->request, cpu->parked, quiesce_rounds(), cpu->rung,
                 hardware[i].latch ? "pending" : "not pending");
        return where;
    }
    if (hardware[i].latch || cpu->rung)
        return "hang: a doorbell is left over";
    if (cpu->guest_start)
        return "hang: an INIT or a SIPI is left over";
    if (cpu->guest_nmi)
        return "hang: a guest's NMI is forgotten";
    if (hardware[i].due)
        return "icr: a guest's NMI is lost";
    return hardware[i].owed > 0 ? "nmi: one from outside is lost without having been merged" : NULL;
}

/* Has anything changed since the last time that nobody moved? A poll is more than one load, so who waits may not
 * have seen yet what it waits for. */
static bool something_changed(void)
{
    uint64_t sum = quiesce_rounds() + shipped_losers();
    for (unsigned i = 0; i < cpu_count; i++) {
        const struct cpu *cpu = &cpus[i];
        const uint64_t words[] = {cpu->state,       cpu->request, cpu->parked,      cpu->guest_nmi,
                                  cpu->guest_start, cpu->rung,    cpu->nmi_seen,    cpu->phase,
                                  cpu->vcpu.rip,    button_again, hardware[i].latch};
        for (unsigned w = 0; w < sizeof words / sizeof *words; w++)
            sum = sum * 31 + words[w];
    }
    bool changed = sum != last_sum;
    last_sum = sum;
    return changed;
}

bool guest_idle(void)
{
    bool retries = false;
    if (something_changed())
        return true;
    for (unsigned i = 0; i < cpu_count; i++)
        retries |= guests[i].retrying && !guests[i].idle;
    if (retries && tries++ < MAX_TRIES)
        return true;
    for (unsigned i = 0; i < cpu_count; i++) {
        const char *left = what_is_left(i);
        if (left) {
            explorer_fail(left);
            return false;
        }
    }
    for (unsigned i = 0; i < cpu_count; i++) {
        if (button_again && !guests[i].injected) {
            explorer_fail("button: an NMI from outside does not reach the guest");
            return false;
        }
        guests[i].injected = false;
    }
    over = button_again;
    button_again = true;
    for (unsigned i = 0; i < cpu_count && !over; i++) {
        hardware[i].owed++;
        machine_nmi(i);
    }
    return true;
}

const char *guest_judge(int stopped)
{
    (void)stopped;
    return over ? NULL : "hang: the run ended too early";
}
