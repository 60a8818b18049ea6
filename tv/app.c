/* TrustVisor as core's hypapp: which of the guest's doings are ours, and who handles them. */
#include <stdatomic.h>
#include "log/log.h"
#include "tv/tv.h"

static int init(void)
{
    log_info("TrustVisor: %u slots, %u pages a PAL", (unsigned)PAL_SLOTS, (unsigned)PAL_MAX_PAGES);
    return 0;
}

static enum hypapp_result hypercall(struct vcpu *vcpu, uint32_t number)
{
    switch (number) {
    case TV_REG:
        return tv_register(vcpu);
    case TV_UNREG:
        return tv_unregister(vcpu);
    case TV_TEST:
        log_info("TEST 0x%lx", caller_reg(vcpu, REG_RCX));
        vcpu_set(vcpu, REG_RAX, TV_OK);
        return HYPAPP_DONE;
    }
    if (number <= TV_OFFERED_LAST || number > TV_RESERVED_LAST)
        return HYPAPP_PASS;
    guest_warn("TrustVisor call %u is not offered: no uTPM, SHARE or NV", number);
    vcpu_set(vcpu, REG_RAX, TV_FAILED);
    return HYPAPP_DONE;
}

static enum hypapp_result cpuid(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    const struct pal *pal;

    if (leaf != TV_CPUID_LEAF || subleaf != 0)
        return HYPAPP_PASS;
    pal = pal_of(vcpu);
    out[0] = TV_CPUID_PRESENT;
    out[1] = pal ? pal_slot(pal) : TV_CPUID_NO_PAL;
    out[2] = caller_is64(vcpu) ? TV_CPUID_64BIT : 0;
    out[3] = 0;
    return HYPAPP_DONE;
}

/* A PAL's `ret` to TV_SENTINEL: its tables map page 0, its view does not. */
static bool is_return(struct vcpu *vcpu, const struct pal *pal, const struct nested_fault *fault)
{
    return fault->access == ACCESS_EXEC && !fault->table_walk && fault->gpa < PAGE_SIZE &&
           vcpu_get(vcpu, REG_RIP) == TV_SENTINEL && vcpu_get(vcpu, REG_CPL) == 3 &&
           atomic_load_explicit(&pal->state, memory_order_relaxed) == PAL_RUNNING;
}

/* The PAL whose entry the guest fetched in the address space that registered it: this one. */
static struct pal *entered(struct vcpu *vcpu, const struct nested_fault *fault, struct guest_space *space)
{
    struct pal *pal;

    if (fault->access != ACCESS_EXEC || fault->table_walk)
        return NULL;
    guest_space_of(vcpu, space);
    pal = pal_find(caller_cr3(space), caller_is64(vcpu), vcpu_get(vcpu, REG_RIP));
    return pal && pal->entry_gpa == (fault->gpa & PAGE_MASK) ? pal : NULL;
}

static enum hypapp_result nested_fault(struct vcpu *vcpu, const struct nested_fault *fault)
{
    struct pal *pal = pal_of(vcpu);
    struct guest_space space;

    if (pal) {
        struct pal_crime crime = {.fault = *fault};

        return is_return(vcpu, pal, fault) ? pal_return(vcpu, pal) : kill_running(vcpu, pal, &crime);
    }
    pal = entered(vcpu, fault, &space);
    if (pal)
        return pal_enter(vcpu, pal, &space);
    pal = pal_owner(fault->gpa);
    if (!pal)
        return HYPAPP_PASS;
    /* Not a #PF: the guest's tables allow the access, so its kernel would retry it for ever. */
    if (vcpu_get(vcpu, REG_CPL) == 3 && !fault->table_walk) {
        guest_warn("page 0x%lx is PAL %u's: a user's access at RIP 0x%lx gets #GP", page_number(fault->gpa),
                   pal_slot(pal), vcpu_get(vcpu, REG_RIP));
        vcpu_inject(vcpu, VECTOR_GP, true, 0);
        return HYPAPP_DONE;
    }
    return kill_for_guest(vcpu, pal, fault);
}

static enum hypapp_result exception(struct vcpu *vcpu, unsigned vector, uint32_t error_code)
{
    struct pal_crime crime = {.is_exception = true, .vector = vector, .error_code = error_code};
    struct pal *pal = pal_of(vcpu);

    return pal ? kill_running(vcpu, pal, &crime) : HYPAPP_PASS;
}

static enum hypapp_result overrun(struct vcpu *vcpu)
{
    struct pal_crime crime = {.is_overrun = true};
    struct pal *pal = pal_of(vcpu);

    return pal ? kill_running(vcpu, pal, &crime) : HYPAPP_PASS;
}

const struct hypapp hypapp = {
    .name = "TrustVisor",
    .init = init,
    .hypercall = hypercall,
    .cpuid_leaf = TV_CPUID_LEAF,
    .cpuid = cpuid,
    .nested_fault = nested_fault,
    .exception = exception,
    .overrun = overrun,
    .cpu_reset = kill_on_reset,
    .machine_reset = kill_idle,
};
