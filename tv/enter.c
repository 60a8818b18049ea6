/*
 * Entering a PAL. Nobody is stopped: the calling CPU checks, takes the PAL, marshals, and switches its own
 * view.
 *
 * What the caller brings is checked as far as it could bend what the PAL sees: privilege, paging, segment
 * bases. What could let the guest look on or cut in (interrupts, NMIs, single steps, breakpoints) is off
 * until the PAL is left.
 */
#include <stdatomic.h>
#include "log/log.h"
#include "tv/tv.h"

/* A 32-bit segment that starts at 0 and holds all 4 GiB. In 64-bit mode the hardware takes no notice of
 * these. */
static bool flat(struct vcpu *vcpu, enum segment_name name)
{
    struct segment segment;

    vcpu_get_segment(vcpu, name, &segment);
    return segment.base == 0 && segment.limit == 0xffffffff && (segment.attributes & SEGMENT_PRESENT) &&
           (segment.attributes & SEGMENT_BIG);
}

static bool entry_allowed(struct vcpu *vcpu, const struct pal *pal, const struct guest_space *space)
{
    uint64_t rflags = vcpu_get(vcpu, REG_RFLAGS);
    unsigned slot = pal_slot(pal);

    if (vcpu_get(vcpu, REG_CPL) != 3)
        guest_warn("call of PAL %u refused: at CPL %u, not 3", slot, (unsigned)vcpu_get(vcpu, REG_CPL));
    else if (caller_paging(space) != pal->layout.paging)
        guest_warn("call of PAL %u refused: the paging mode is not that of REG", slot);
    else if (!(rflags & RFLAGS_IF) || (rflags & (RFLAGS_IOPL | RFLAGS_VM)))
        guest_warn("call of PAL %u refused: RFLAGS 0x%lx; IF must be 1, IOPL and VM 0", slot, rflags);
    else if (!pal->layout.is64 &&
             !(flat(vcpu, SEG_CS) && flat(vcpu, SEG_SS) && flat(vcpu, SEG_DS) && flat(vcpu, SEG_ES)))
        guest_warn("call of PAL %u refused: CS, SS, DS or ES is not flat", slot);
    else
        return true;
    return false;
}

static void switch_to(struct vcpu *vcpu, struct pal *pal, const struct pal_start *start)
{
    uint64_t regs[REG_CPL];

    vcpu_get_all(vcpu, regs);
    __builtin_memcpy(pal->run.regs, regs, sizeof(regs));
    for (unsigned i = 0; pal->layout.is64 && i < REGISTER_ARGS && i < pal->layout.param_count; i++)
        regs[register_args[i]] = start->args[i];
    regs[REG_RSP] = start->stack;
    /* No interrupts, no steps; and string instructions go up, whatever DF the caller had. */
    regs[REG_RFLAGS] = RFLAGS_FIXED;
    /* No x87, MMX, SSE (EM), no AVX (TS): their registers keep the caller's values, out of use. */
    regs[REG_CR0] |= CR0_EM | CR0_TS;
    /* User interrupts come at CPL 3 whatever IF says. */
    regs[REG_CR4] &= ~(uint64_t)CR4_UINTR;
    /* SYSCALL and SYSENTER fault at CPL 3: a PAL that reached CPL 0 before it faults could not be taken back
       to its caller. Gates do not lead there either, since neither GDT nor IDT is mapped. */
    regs[REG_EFER] &= ~(uint64_t)EFER_SCE;
    regs[REG_SYSENTER_CS] = 0;
    /* The caller's PCID and flags. */
    regs[REG_CR3] = pal->root | (regs[REG_CR3] & (pal->layout.paging == PAGING_PAE ? 0x1f : 0xfff));
    regs[REG_DR7] = DR7_OFF;
    regs[REG_DEBUGCTL] = 0;
    vcpu_set_all(vcpu, regs);
    vcpu_intercept_exceptions(vcpu, true);
    vcpu_hold_nmi(vcpu, true);
    vcpu_limit(vcpu, true);
    vcpu_set_view(vcpu, pal->view);
    vcpu_set_app(vcpu, pal);
}

static enum hypapp_result busy(struct vcpu *vcpu, struct pal *pal)
{
    uint32_t me = 1u << vcpu_index(vcpu) % 32;

    /* The caller tries again and again; this says so once in each run of the PAL. */
    if (!(atomic_fetch_or_explicit(&pal->waiters, me, memory_order_relaxed) & me))
        log_debug("call of PAL %u waits: it is running on another CPU", pal_slot(pal));
    return HYPAPP_RETRY;
}

enum hypapp_result pal_enter(struct vcpu *vcpu, struct pal *pal, struct guest_space *space)
{
    struct pal_start start;

    if (!entry_allowed(vcpu, pal, space)) {
        vcpu_inject(vcpu, VECTOR_GP, true, 0);
        return HYPAPP_DONE;
    }
    if (!pal_take(pal))
        return busy(vcpu, pal);
    if (!marshal_in(vcpu, pal, space, &start)) {
        pal_give_back(pal);
        return HYPAPP_DONE;
    }
    switch_to(vcpu, pal, &start);
    log_debug("PAL %u called, returns to 0x%lx", pal_slot(pal), pal->run.return_to);
    for (unsigned i = 0; i < pal->layout.param_count; i++)
        log_trace("argument %u is 0x%lx", i, pal->run.args[i]);
    return HYPAPP_DONE;
}
