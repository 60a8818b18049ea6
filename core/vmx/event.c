/*
 * Events into the guest. With virtual NMIs the CPU keeps the guest's NMI mask: an injected NMI sets it, the
 * guest's IRET clears it. A guest NMI (cpu->guest_nmi, one as in a CPU's latch) is injected at an entry at
 * which nothing is in its way: no other event, no mask, no interrupt shadow. Otherwise a window exits as soon
 * as that is so: the NMI window, but behind an STI the interrupt window.
 */
#include "core/cpu.h"
#include "core/vmx/vmx.h"
#include "core/x86/asm.h"

enum { ALL_EXCEPTIONS = ~(1u << VEC_NMI) };

static void inject(const struct event *event)
{
    static const uint8_t types[] = {
        [EVENT_INTERRUPT] = VMX_INTERRUPT, [EVENT_NMI] = VMX_NMI, [EVENT_EXCEPTION] = VMX_EXCEPTION};
    uint32_t info = VMX_EVENT_VALID | event->vector | (uint32_t)types[event->type] << VMX_EVENT_TYPE_SHIFT;
    if (event->has_error && vmread(GUEST_CR0) & CR0_PE) { /* none is pushed in real mode */
        info |= VMX_EVENT_ERROR_VALID;
        vmwrite(ENTRY_ERROR, event->error_code);
    }
    vmwrite(ENTRY_EVENT, info);
}

/* Returns which window has to exit: a primary control, or 0. In the shadow of an STI a CPU need not hold back
 * the NMI window's exit (SDM vol. 3, 26.2), and the shadow is still there at the next entry: it could exit for
 * ever, without an instruction in between. The interrupt window opens behind the shadow, ahead of external
 * interrupts. Where that instruction is a CLI, it opens late, and the next exit of any kind injects the NMI. */
static uint32_t prepare_nmi(struct vcpu *vcpu)
{
    struct vmx *vmx = vmx_of(vcpu);
    if (!atomic_load(&vcpu->cpu->guest_nmi) || vcpu->nmi_held)
        return 0;
    uint64_t blocked = vmread(INTERRUPTIBILITY);
    if (blocked & BLOCKED_STI)
        return PRIMARY_INTERRUPT_WINDOW;
    if (vmx->injected.type != EVENT_NONE || blocked)
        return PRIMARY_NMI_WINDOW;
    if (atomic_exchange(&vcpu->cpu->guest_nmi, 0)) {
        vmx->injected = (struct event){.type = EVENT_NMI, .vector = VEC_NMI};
        vmx->from = NULL;
        vcpu->nmis_injected++;
        inject(&vmx->injected);
    }
    return 0;
}

static void set_controls(struct vcpu *vcpu, uint32_t window)
{
    struct vmx *vmx = vmx_of(vcpu);
    /* Idle time is for the log, while it has any. */
    uint32_t primary = vmx_controls.primary | window | (vcpu->backlog ? PRIMARY_HLT_EXITING : 0);
    if (primary != vmx->primary)
        vmwrite(PRIMARY_CONTROLS, vmx->primary = primary);
    /* #UD: VMMCALL, the other vendor's hypercall, raises it here. */
    uint32_t exceptions =
        vcpu->exceptions_intercepted ? (uint32_t)ALL_EXCEPTIONS : 1u << VEC_UD | VECTORS_ENDLESS;
    if (exceptions != vmx->exceptions)
        vmwrite(EXCEPTION_BITMAP, vmx->exceptions = exceptions);
}

static __attribute__((noinline)) void prepare(struct vcpu *vcpu)
{
    struct vmx *vmx = vmx_of(vcpu);
    struct event *event = vcpu->requeued.type != EVENT_NONE ? &vcpu->requeued : &vcpu->event;
    vmx->injected.type = EVENT_NONE;
    if (event->type != EVENT_NONE) {
        vmx->injected = *event;
        vmx->from = event;
        event->type = EVENT_NONE;
        inject(&vmx->injected);
    }
    uint32_t window = prepare_nmi(vcpu);
    set_controls(vcpu, window);
    vmx->prepared = (struct prepared){vcpu->backlog, vcpu->exceptions_intercepted,
                                      window || vmx->injected.type != EVENT_NONE};
}

/* Mostly there is nothing to deliver, nor was there at the last entry, and the controls are as they were. */
void vmx_prepare_events(struct vcpu *vcpu)
{
    const struct prepared *last = &vmx_of(vcpu)->prepared;
    if ((vcpu->requeued.type | vcpu->event.type | atomic_load(&vcpu->cpu->guest_nmi)) || last->event ||
        last->backlog != vcpu->backlog || last->exceptions != vcpu->exceptions_intercepted)
        prepare(vcpu);
}

void vmx_take_back(struct vcpu *vcpu)
{
    struct vmx *vmx = vmx_of(vcpu);
    if (vmx->injected.type == EVENT_NONE)
        return;
    vmwrite(ENTRY_EVENT, 0);
    if (vmx->from) {
        *vmx->from = vmx->injected;
    } else {
        vcpu->nmis_injected--;
        atomic_store(&vcpu->cpu->guest_nmi, 1);
    }
}

/* What the exit interrupted is delivered again. A software interrupt or exception is left out: RIP still
 * stands on its instruction. An NMI was not delivered yet, so it does not block itself; Bochs blocks until
 * the guest's IRET, whatever is written here, but injects it all the same. */
void vmx_requeue(struct vcpu *vcpu)
{
    uint64_t info = vmread(VECTORING_EVENT);
    if (!(info & VMX_EVENT_VALID))
        return;
    struct event event = {.vector = (uint8_t)info, .has_error = info & VMX_EVENT_ERROR_VALID};
    switch (info >> VMX_EVENT_TYPE_SHIFT & 7) {
    case VMX_INTERRUPT:
        event.type = EVENT_INTERRUPT;
        break;
    case VMX_NMI:
        event.type = EVENT_NMI;
        vmwrite(INTERRUPTIBILITY, vmread(INTERRUPTIBILITY) & ~(uint64_t)BLOCKED_NMI);
        break;
    case VMX_EXCEPTION:
        event.type = EVENT_EXCEPTION;
        break;
    default:
        return;
    }
    if (event.has_error)
        event.error_code = (uint32_t)vmread(VECTORING_ERROR);
    vcpu->requeued = event;
}
