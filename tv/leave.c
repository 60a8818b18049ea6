/* Leaving a PAL, in good order or not: the caller's context comes back, and nothing of the PAL's but RAX. */
#include "log/log.h"
#include "tv/tv.h"

/* What a C function may change, by the ABI of each mode. */
enum {
    SCRATCH_32 = 1 << REG_RCX | 1 << REG_RDX,
    SCRATCH_64 = SCRATCH_32 | 1 << REG_RSI | 1 << REG_RDI | 0xf << REG_R8
};

/* What enter.c changed for the time of the run, and CR2 and DR6, which tell of the PAL's faults. */
static const enum reg system_regs[] = {REG_CR0,         REG_CR2, REG_CR3, REG_CR4,     REG_EFER,
                                       REG_SYSENTER_CS, REG_DR6, REG_DR7, REG_DEBUGCTL};

void leave_context(struct vcpu *vcpu, const struct pal *pal, uint64_t rax)
{
    const uint64_t *regs = pal->run.regs;
    uint64_t *general = vcpu_general(vcpu);
    unsigned scratch = pal->layout.is64 ? SCRATCH_64 : SCRATCH_32;

    for (unsigned i = REG_RAX; i <= REG_R15; i++)
        general[i] = scratch >> i & 1 ? 0 : regs[i];
    general[REG_RAX] = rax;
    general[REG_RSP] = pal->run.return_stack;
    vcpu_set(vcpu, REG_RIP, pal->run.return_to);
    vcpu_set(vcpu, REG_RFLAGS, regs[REG_RFLAGS] & ~(uint64_t)RFLAGS_RF);
    for (unsigned i = 0; i < sizeof(system_regs) / sizeof(*system_regs); i++)
        vcpu_set(vcpu, system_regs[i], regs[system_regs[i]]);
    vcpu_intercept_exceptions(vcpu, false);
    vcpu_hold_nmi(vcpu, false);
    vcpu_limit(vcpu, false);
    vcpu_set_view(vcpu, view_main());
    vcpu_set_app(vcpu, NULL);
}

enum hypapp_result pal_return(struct vcpu *vcpu, struct pal *pal)
{
    uint64_t rax = vcpu_get(vcpu, REG_RAX);

    if (!pal->layout.is64)
        rax = (uint32_t)rax;
    leave_context(vcpu, pal, rax);
    if (marshal_out(vcpu, pal) < 0) {
        vcpu_inject(vcpu, VECTOR_GP, true, 0);
        guest_warn("PAL %u returned, but its caller gets a fault", pal_slot(pal));
    } else {
        log_debug("PAL %u returned 0x%lx", pal_slot(pal), rax);
    }
    pal_give_back(pal);
    return HYPAPP_DONE;
}
