/* Leaving a PAL, in good order or not: the caller's context comes back, and nothing of the PAL's but RAX. */
#include "log/log.h"
#include "tv/tv.h"

void leave_context(struct vcpu *vcpu, struct pal *pal, uint64_t rax)
{
    uint64_t *regs = pal->run.regs;

    /* What a C function may change, by the ABI of each mode. */
    regs[REG_RCX] = regs[REG_RDX] = 0;
    if (pal->layout.is64)
        regs[REG_RSI] = regs[REG_RDI] = regs[REG_R8] = regs[REG_R9] = regs[REG_R10] = regs[REG_R11] = 0;
    regs[REG_RAX] = rax;
    regs[REG_RSP] = pal->run.return_stack;
    regs[REG_RIP] = pal->run.return_to;
    regs[REG_RFLAGS] &= ~(uint64_t)RFLAGS_RF;
    vcpu_set_all(vcpu, regs);
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
