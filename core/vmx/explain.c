/* Why VM entry refused, and the state it refused: to the log. Numbers of VM-instruction errors: SDM vol.
 * 3, 31.4. */
#include "core/vmx/vmx.h"
#include "core/x86/asm.h"
#include "log/log.h"

static const char *instruction_error(uint64_t number)
{
    switch (number) {
    case 4:
        return "VMLAUNCH of a VMCS that was launched before";
    case 5:
        return "VMRESUME of a VMCS that was never launched";
    case 7:
        return "a control field is not allowed (see the capability MSRs, and the event to inject)";
    case 8:
        return "a field of the host's state is not allowed";
    case 12:
        return "access to a field that this CPU does not have";
    case 26:
        return "entry while MOV SS blocks events";
    default:
        return "see SDM vol. 3, 31.4";
    }
}

static const char *guest_rule(void)
{
    uint64_t cr0 = vmread(GUEST_CR0), efer = vmread(GUEST_EFER), entry = vmread(ENTRY_CONTROLS);
    uint64_t blocked = vmread(INTERRUPTIBILITY), event = vmread(ENTRY_EVENT), rflags = vmread(GUEST_RFLAGS);
    if (!(efer & EFER_LMA) != !(entry & ENTRY_GUEST_64))
        return "EFER.LMA and the entry control for a 64-bit guest differ";
    if (cr0 & CR0_PG && !(efer & EFER_LMA) != !(efer & EFER_LME))
        return "paging is on, and EFER.LMA and EFER.LME differ";
    if (cr0 & CR0_PG && !(cr0 & CR0_PE))
        return "CR0.PG is 1 and CR0.PE is 0";
    if (!(cr0 & CR0_NE))
        return "CR0.NE is 0";
    if (!(rflags & RFLAGS_FIXED))
        return "RFLAGS bit 1 is 0";
    if ((blocked & BLOCKED_STI) && (blocked & BLOCKED_MOV_SS))
        return "both STI and MOV SS block";
    if (blocked & BLOCKED_STI && !(rflags & RFLAGS_IF))
        return "STI blocks, and RFLAGS.IF is 0";
    if (event & VMX_EVENT_VALID && (event >> VMX_EVENT_TYPE_SHIFT & 7) == VMX_NMI && blocked)
        return "an NMI is injected while it is blocked";
    return "none of the rules checked here (segments? a non-canonical base? pending debug exceptions?)";
}

void vmx_explain(struct vcpu *vcpu, const struct exit *exit)
{
    if (exit->reason == EXIT_ENTRY_FAILED && !(exit->code & VMX_REASON_ENTRY_FAILED))
        log_error("VM entry refused, error %lu: %s", exit->code, instruction_error(exit->code));
    else if (exit->reason == EXIT_ENTRY_FAILED)
        log_error("VM entry refused the guest's state (reason %lu): %s", exit->code & 0xFFFF, guest_rule());
    log_error(
        "  reason 0x%lx qualification 0x%lx physical 0x%lx vectoring 0x%lx injected 0x%lx blocked 0x%lx",
        exit->code, vmread(QUALIFICATION), vmread(GUEST_PHYSICAL), vmread(VECTORING_EVENT),
        vmread(ENTRY_EVENT), vmread(INTERRUPTIBILITY));
    log_error("  cs:rip 0x%lx:0x%lx rflags 0x%lx cr0 0x%lx cr2 0x%lx cr3 0x%lx cr4 0x%lx efer 0x%lx",
              vmread(GUEST_CS_SELECTOR), vcpu->rip, vcpu->rflags, vmread(GUEST_CR0), read_cr2(),
              vmread(GUEST_CR3), vmread(GUEST_CR4), vmread(GUEST_EFER));
    log_error("  rax 0x%lx rbx 0x%lx rcx 0x%lx rdx 0x%lx rsi 0x%lx rdi 0x%lx rsp 0x%lx rbp 0x%lx",
              vcpu->gpr[REG_RAX], vcpu->gpr[REG_RBX], vcpu->gpr[REG_RCX], vcpu->gpr[REG_RDX],
              vcpu->gpr[REG_RSI], vcpu->gpr[REG_RDI], vcpu->gpr[REG_RSP], vcpu->gpr[REG_RBP]);
}
