/*
 * Events into the guest, and the guest's NMI mask.
 *
 * SVM (without the virtual-NMI feature) does not block NMIs after it has injected one (APM vol. 2, 15.20 and
 * 15.21.7), so the mask is kept here:
 *
 *   NMI_OPEN         injects; the IRET intercept goes on           -> NMI_IN_HANDLER
 *   NMI_IN_HANDLER   IRET exit, which comes before the IRET        -> NMI_AT_IRET
 *   NMI_AT_IRET      RIP has moved                                 -> NMI_OPEN
 *
 * An NMI that waits (cpu->guest_nmi, one as in a CPU's latch) is injected at the next entry at which nothing
 * is in its way:
 * - in the handler: the IRET exit will come;
 * - at the IRET, or in an interrupt shadow (which may be that of MOV SS): one instruction is stepped over with
 *   TF. While stepping, every exception exits, so that a faulting IRET, which ends the blocking as well, does
 *   not leak TF into a frame of the guest;
 * - another event goes first: a doorbell to ourselves, pending at VMRUN, exits right behind its delivery.
 */
#include "core/cpu.h"
#include "core/doorbell.h"
#include "core/svm/svm.h"
#include "core/x86/asm.h"

enum { DR6_BS = 1 << 14, ALL_EXCEPTIONS = ~(1u << VEC_NMI) };

void svm_update_intercepts(struct vcpu *vcpu)
{
    struct vmcb *vmcb = vmcb_of(vcpu);
    /* #UD: VMCALL, the other vendor's hypercall, raises it here. */
    vmcb->intercept_exceptions = vcpu->exceptions_intercepted || vcpu->stepping
                                     ? (uint32_t)ALL_EXCEPTIONS
                                     : 1u << VEC_UD | VECTORS_ENDLESS;
    vmcb->intercept_misc1 =
        INTERCEPT_NMI | INTERCEPT_INIT | INTERCEPT_CPUID | INTERCEPT_INVD | INTERCEPT_INVLPGA | INTERCEPT_IO |
        INTERCEPT_MSR | INTERCEPT_SHUTDOWN | (vcpu->nmi_block == NMI_IN_HANDLER ? INTERCEPT_IRET : 0) |
        /* No interrupt may push the borrowed TF: in a shadow none comes, but QEMU's VMRUN loads no shadow. */
        (vcpu->stepping ? INTERCEPT_INTR : 0) |
        /* Idle time is for the log, while it has any; and HLT is stepped over by skipping it. */
        (vcpu->stepping || vcpu->backlog ? INTERCEPT_HLT : 0);
}

static uint64_t encode(const struct vmcb *vmcb, const struct event *event)
{
    static const uint8_t types[] = {[EVENT_INTERRUPT] = SVM_EVENT_INTR,
                                    [EVENT_NMI] = SVM_EVENT_NMI,
                                    [EVENT_EXCEPTION] = SVM_EVENT_EXCEPTION};
    bool has_error = event->has_error && vmcb->cr0 & CR0_PE; /* none is pushed in real mode */
    return SVM_EVENT_VALID | event->vector | (uint64_t)types[event->type] << SVM_EVENT_TYPE_SHIFT |
           (has_error ? SVM_EVENT_ERROR_VALID | (uint64_t)event->error_code << 32 : 0);
}

static void start_step(struct vcpu *vcpu)
{
    vcpu->stepping = true;
    vcpu->step_rip = vcpu->rip;
    vcpu->step_flags = vcpu->rflags;
    vcpu->rflags |= RFLAGS_TF | RFLAGS_RF; /* RF: no instruction breakpoint ends the step */
    if (vcpu->nmi_block == NMI_AT_IRET)
        vcpu->rflags &=
            ~(uint64_t)RFLAGS_IF; /* no interrupt may push the borrowed TF; IRET loads both anew */
}

static void prepare_nmi(struct vcpu *vcpu, bool other_event)
{
    if (vcpu->nmi_block == NMI_AT_IRET && vcpu->rip != vcpu->step_rip)
        vcpu->nmi_block = NMI_OPEN;
    if (!atomic_load(&vcpu->cpu->guest_nmi) || vcpu->nmi_held || vcpu->nmi_block == NMI_IN_HANDLER)
        return;
    struct vmcb *vmcb = vmcb_of(vcpu);
    if (other_event) {
        doorbell_ring(vcpu->cpu);
    } else if (vcpu->nmi_block == NMI_AT_IRET || vmcb->interrupt_shadow & SVM_SHADOW) {
        start_step(vcpu);
    } else if (atomic_exchange(&vcpu->cpu->guest_nmi, 0)) {
        vmcb->event_injection = encode(vmcb, &(struct event){.type = EVENT_NMI, .vector = VEC_NMI});
        vcpu->nmi_block = NMI_IN_HANDLER;
        vcpu->nmis_injected++;
    }
}

void svm_prepare_events(struct vcpu *vcpu)
{
    struct event *event = vcpu->requeued.type != EVENT_NONE ? &vcpu->requeued : &vcpu->event;
    bool have = event->type != EVENT_NONE;
    struct vmcb *vmcb = vmcb_of(vcpu);
    vmcb->event_injection = have ? encode(vmcb, event) : 0;
    event->type = EVENT_NONE;
    prepare_nmi(vcpu, have);
    svm_update_intercepts(vcpu);
}

/* What the exit interrupted is delivered again. A software interrupt or exception is left out: RIP still
 * stands on its instruction. Where all exceptions exit, none was being delivered: of an INT whose delivery
 * faults, Bochs reports the exception before it. */
static void requeue(struct vcpu *vcpu, uint64_t info)
{
    unsigned type = info >> SVM_EVENT_TYPE_SHIFT & 7;
    uint8_t vector = (uint8_t)info;
    vcpu->requeued = (struct event){
        .vector = vector, .has_error = info & SVM_EVENT_ERROR_VALID, .error_code = (uint32_t)(info >> 32)};
    if (type == SVM_EVENT_INTR)
        vcpu->requeued.type = EVENT_INTERRUPT;
    else if (type == SVM_EVENT_NMI)
        vcpu->requeued.type = EVENT_NMI;
    else if (type == SVM_EVENT_EXCEPTION && vector != VEC_BP && vector != VEC_BP + 1 &&
             !vcpu->exceptions_intercepted)
        vcpu->requeued.type = EVENT_EXCEPTION;
}

/* The instruction was stepped over, faulted, or was only interrupted by an exit of another kind: then the
 * next entry steps again. */
static void finish_step(struct vcpu *vcpu, struct exit *exit)
{
    uint64_t borrowed = RFLAGS_TF | RFLAGS_RF | (vcpu->nmi_block == NMI_AT_IRET ? RFLAGS_IF : 0);
    bool moved = vcpu->rip != vcpu->step_rip;
    vcpu->stepping = false;
    if (!moved ||
        vcpu->nmi_block != NMI_AT_IRET) /* an IRET that went through has loaded the guest's own flags */
        vcpu->rflags = (vcpu->rflags & ~borrowed) | (vcpu->step_flags & borrowed);
    if (exit->reason != EXIT_EXCEPTION)
        return;
    vcpu->nmi_block = NMI_OPEN;
    struct vmcb *vmcb = vmcb_of(vcpu);
    if (exit->vector == VEC_DB && vmcb->dr6 & DR6_BS && !(vcpu->step_flags & RFLAGS_TF)) {
        vmcb->dr6 &= ~(uint64_t)DR6_BS;
        exit->reason = EXIT_NONE;
    }
}

void svm_finish_events(struct vcpu *vcpu, struct exit *exit)
{
    struct vmcb *vmcb = vmcb_of(vcpu);
    if (exit->reason == EXIT_ENTRY_FAILED)
        return;
    vmcb->event_injection = 0;
    if (vmcb->exit_interrupt_info & SVM_EVENT_VALID)
        requeue(vcpu, vmcb->exit_interrupt_info);
    if (vcpu->stepping)
        finish_step(vcpu, exit);
    if (exit->code == SVM_IRET) {
        vcpu->nmi_block = NMI_AT_IRET;
        vcpu->step_rip = vcpu->rip;
    }
}
