/* Why VMRUN refused (the checks of APM vol. 2, 15.5.1 that can be repeated here), and the state it refused.
 */
#include "core/memory.h"
#include "core/svm/svm.h"
#include "core/x86/asm.h"
#include "log/log.h"

static const char *broken_rule(const struct vmcb *v)
{
    if (v->rip >= (uint64_t)image_start && v->rip < (uint64_t)text_end)
        return "cannot be told, since this CPU (QEMU's? Bochs's?) has written the host's state over it";
    if (!(v->efer & EFER_SVME))
        return "EFER.SVME is 0";
    if (!(v->cr0 & CR0_CD) && v->cr0 & CR0_NW)
        return "CR0.CD is 0 and CR0.NW is 1";
    if (v->cr0 >> 32)
        return "CR0 bits 63:32 are not 0";
    if (v->dr6 >> 32 || v->dr7 >> 32)
        return "DR6 or DR7 bits 63:32 are not 0";
    if (v->efer & EFER_LME && v->cr0 & CR0_PG && !(v->cr4 & CR4_PAE))
        return "long mode with paging, but CR4.PAE is 0";
    if (v->efer & EFER_LME && v->cr0 & CR0_PG && !(v->cr0 & CR0_PE))
        return "long mode with paging, but CR0.PE is 0";
    if (v->efer & EFER_LME && v->cr0 & CR0_PG && (v->cs.attributes & 0x600) == 0x600)
        return "CS has both L and D set in long mode";
    if (!(v->intercept_misc2 & INTERCEPT_VMRUN))
        return "VMRUN is not intercepted";
    if (!v->asid)
        return "ASID is 0";
    return "none of those checked here (reserved bits of CR3, CR4, EFER? an illegal event injection?)";
}

void svm_explain(struct vcpu *vcpu, const struct exit *exit)
{
    const struct vmcb *v = vmcb_of(vcpu);
    if (exit->reason == EXIT_ENTRY_FAILED)
        log_error("VMRUN refused the guest's state. The rule: %s", broken_rule(v));
    log_error("  exit 0x%lx info1 0x%lx info2 0x%lx interrupted 0x%lx injected 0x%lx", exit->code,
              exit->info1, exit->info2, v->exit_interrupt_info, v->event_injection);
    log_error("  cs:rip 0x%x:0x%lx rflags 0x%lx cr0 0x%lx cr2 0x%lx cr3 0x%lx cr4 0x%lx efer 0x%lx cpl %u",
              v->cs.selector, vcpu->rip, vcpu->rflags, v->cr0, v->cr2, v->cr3, v->cr4, v->efer, v->cpl);
    log_error("  rax 0x%lx rbx 0x%lx rcx 0x%lx rdx 0x%lx rsi 0x%lx rdi 0x%lx rsp 0x%lx rbp 0x%lx",
              vcpu->gpr[REG_RAX], vcpu->gpr[REG_RBX], vcpu->gpr[REG_RCX], vcpu->gpr[REG_RDX],
              vcpu->gpr[REG_RSI], vcpu->gpr[REG_RDI], vcpu->gpr[REG_RSP], vcpu->gpr[REG_RBP]);
}
