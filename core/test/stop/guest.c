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

/* What the guest on a CPU is doing; everything here is touched by its own context, and between runs. */
static struct guest {
    const struct guest_step *steps;
    jmp_buf out;
    bool busy;     /* from the last look to the next boundary */
    bool idle;     /* in the guest, with nothing left to do */
    bool retrying; /* quiesce_begin said -E_AGAIN: executes the instruction again */
    bool in_nmi;   /* its NMI handler */
    bool to_fault; /* the delivery of the next NMI does */
    uint64_t handler_returns, handler_flags;
    bool injected;
    uint64_t flushed;   /* the view generation at its last flush */
    unsigned overtaken; /* rounds of others since it lost the race for the machine */
    bool lost;
} guests[MAX_CPUS];

static bool over;
static int held = -1; /* who believes that all others stand still */
static unsigned tries;
static uint64_t last_sum;
static bool button_again; /* the last trial: an NMI from outside reaches each guest */
static struct vmcb vmcbs[MAX_CPUS];

const struct hypapp hypapp;
static const struct backend *shipped;
static struct backend tested; /* that, with some ways in between */

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
    hardware[me()].backlog = BACKLOG;
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

void guest_enters(void)
{
    check_alone("exclusion: a CPU enters the guest while another holds the machine");
    if (guests[me()].flushed != view_generation)
        explorer_fail("flush: an entry without a flush after the views changed");
}

void guest_flushed(void)
{
    guests[me()].flushed = view_generation;
}

bool guest_takes_nmi(uint64_t *rip, uint64_t *rflags, bool shadow)
{
    struct guest *guest = &guests[me()];
    if (!hardware[me()].taken)
        explorer_fail("icr: the guest gets an NMI that nobody sent");
    if (guest->in_nmi)
        explorer_fail("nmi: the guest gets an NMI in its NMI handler");
    if (shadow)
        explorer_fail("nmi: the guest gets an NMI in an interrupt shadow");
    if (guest->to_fault) {
        guest->to_fault = false;
        return false;
    }
    hardware[me()].taken = false;
    guest->in_nmi = guest->injected = true;
    guest->handler_returns = *rip;
    guest->handler_flags = *rflags;
    *rip = RIP_HANDLER;
    *rflags &= ~(uint64_t)(RFLAGS_TF | RFLAGS_IF);
    return true;
}

void guest_waits(uint64_t rip)
{
    struct guest *guest = &guests[me()];
    machine_point(false);
    if (guest->retrying) /* a try that would change nothing is not made */
        explorer_wait();
    while (!machine_nmi_pends() && !guest->in_nmi && guest->steps[rip - RIP_STEPS].step == DONE) {
        guest->idle = true;
        explorer_wait();
        guest_leave_if_over();
        guest->idle = false;
    }
}

bool guest_in_nmi(void)
{
    return guests[me()].in_nmi;
}

bool guest_executes(uint64_t *rip, uint64_t *rflags, bool *shadow)
{
    struct guest *guest = &guests[me()];
    if (guest->in_nmi) {
        guest->in_nmi = false;
        *rip = guest->handler_returns;
        *rflags = guest->handler_flags;
    } else if (guest->steps[*rip - RIP_STEPS].step == STI) {
        *rip += *shadow;
        *shadow = !*shadow;
        *rflags |= RFLAGS_IF;
    } else if (guest->steps[*rip - RIP_STEPS].step == FAULT) {
        ++*rip;
        *shadow = false;
        guest->to_fault = true;
    } else {
        return false;
    }
    return true;
}

/* VMRUN, up to its exit (APM vol. 2, 15.5 to 15.21). */
static void vmrun(struct vmcb *vmcb)
{
    if (vmcb->tlb_control)
        guest_flushed();
    guest_enters();
    vmcb->exit_interrupt_info = 0;
    bool shadow = vmcb->interrupt_shadow & SVM_SHADOW;
    if (vmcb->event_injection & SVM_EVENT_VALID && !guest_takes_nmi(&vmcb->rip, &vmcb->rflags, shadow)) {
        vmcb->exit_interrupt_info = vmcb->event_injection;
        vmcb->exit_code = SVM_NPF;
        return;
    }
    for (vmcb->exit_code = 0; !vmcb->exit_code;) {
        guest_waits(vmcb->rip);
        bool trap = vmcb->rflags & RFLAGS_TF;
        if (machine_nmi_pends()) {
            vmcb->exit_code = SVM_NMI; /* it stays in the latch */
        } else if (guest_in_nmi() && vmcb->intercept_misc1 & INTERCEPT_IRET) {
            vmcb->exit_code = SVM_IRET;
        } else if (!guest_executes(&vmcb->rip, &vmcb->rflags, &shadow)) {
            vmcb->exit_code = SVM_VMMCALL;
        } else if (trap) {
            vmcb->dr6 |= DR6_BS;
            vmcb->exit_code = SVM_EXCEPTION + VEC_DB;
        }
    }
    vmcb->interrupt_shadow = shadow ? SVM_SHADOW : 0;
}

void svm_enter(struct vcpu *vcpu, uint64_t guest_vmcb, uint64_t host_vmcb)
{
    (void)vcpu, (void)host_vmcb;
    vmrun((struct vmcb *)guest_vmcb);
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

/* ---- runs ---- */

static void enter_guest(struct vcpu *vcpu, struct exit *exit)
{
    guests[me()].busy = true;
    shipped->enter(vcpu, exit);
}

/* INIT, then SIPI: the guest has no steps left. */
static void reset_vcpu(struct vcpu *vcpu)
{
    struct guest *guest = &guests[me()];
    shipped->reset(vcpu);
    guest->in_nmi = guest->retrying = guest->lost = false;
}

static void set_sipi(struct vcpu *vcpu, uint8_t vector)
{
    static const struct guest_step nothing[] = {{DONE, 0}};
    (void)vector;
    guests[me()].steps = nothing;
    hardware[me()].due = cpus[me()].guest_nmi; /* those from before are dropped */
    hardware[me()].taken = false;
    vcpu->rip = RIP_STEPS;
}

void guest_reset(bool with_vmx)
{
    memset(guests, 0, sizeof guests);
    memset(vmcbs, 0, cpu_count * sizeof *vmcbs);
    over = button_again = false;
    held = -1;
    tries = 0;
    last_sum = 0;
    view_generation = 1;
    shipped = with_vmx ? &vmx_backend : &svm_backend;
    tested = *shipped;
    if (!with_vmx) {
        tested.close = svm_close;
        tested.open = svm_open;
    }
    tested.enter = enter_guest;
    tested.reset = reset_vcpu;
    tested.set_sipi = set_sipi;
    backend = &tested;
    for (unsigned i = 0; i < cpu_count; i++) {
        cpus[i].vcpu.hw = &vmcbs[i];
        cpus[i].vcpu.view = view_main();
        cpus[i].vcpu.flush = true;
        cpus[i].vcpu.rip = RIP_STEPS;
        cpus[i].vcpu.rflags = RFLAGS_FIXED;
    }
    if (with_vmx)
        vmx_machine_reset();
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
    if (hardware[i].due || hardware[i].taken)
        return "icr: a guest's NMI is lost";
    return hardware[i].owed > 0 ? "nmi: one from outside is lost without having been merged" : NULL;
}

/* Has anything changed since the last time that nobody moved? A poll is more than one load, so who waits may
 * not have seen yet what it waits for. */
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
