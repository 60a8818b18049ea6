/* What an exit says (SDM vol. 3, 28.2 and appendix C), in the words of vcpu.h; and which MSRs and ports exit
 * at all (25.6.4, 25.6.9). An exit reads no more fields than its reason needs. */
#include "core/guest/policy.h"
#include "core/vmx/vmx.h"
#include "core/x86/asm.h"

uint8_t vmx_msr_bitmap[4096] __attribute__((aligned(4096)));
uint8_t vmx_io_bitmaps[8192] __attribute__((aligned(4096)));

enum { MSR_HIGH = 0x400, MSR_WRITES = 0x800, MSRS = 0x2000 };
#define MSR_HIGH_BASE 0xC0000000u
/* DR6 (18.2.3). 0 to 3: breakpoints that were met; BLD and RTM are 0 when set. */
enum { DR6_BREAKPOINTS = 0xF, DR6_BLD = 1 << 11, DR6_BD = 1 << 13, DR6_BS = 1 << 14, DR6_RTM = 1 << 16 };

/* A bit an MSR, in four parts of 1 KiB: reads from 0 and from C0000000 on, then writes. Accesses outside
 * always exit. */
static void trap_msr(uint32_t msr, bool read, bool write)
{
    unsigned part = msr >= MSR_HIGH_BASE ? MSR_HIGH : 0;
    uint32_t index = msr >= MSR_HIGH_BASE ? msr - MSR_HIGH_BASE : msr;
    if (index >= MSRS)
        return;
    uint8_t bit = (uint8_t)(1 << index % 8);
    if (read)
        vmx_msr_bitmap[part + index / 8] |= bit;
    if (write)
        vmx_msr_bitmap[MSR_WRITES + part + index / 8] |= bit;
}

void vmx_permissions_init(void)
{
    const struct trapped_msr *msr;
    for (unsigned i = 0; (msr = policy_msr(i)); i++)
        for (uint32_t number = msr->first; number <= msr->last; number++)
            trap_msr(number, msr->read, msr->write);
    for (uint32_t port = 0; port < 65536; port++)
        if (policy_port_trapped((uint16_t)port))
            vmx_io_bitmaps[port / 8] |= (uint8_t)(1 << port % 8);
}

static void decode_io(struct exit *exit)
{
    uint64_t info = exit->info1 = vmread(QUALIFICATION);
    exit->reason = EXIT_IO;
    exit->io.port = (uint16_t)(info >> VMX_IO_PORT_SHIFT);
    exit->io.size = (uint8_t)((info & VMX_IO_SIZE) + 1);
    exit->io.in = info & VMX_IO_IN;
    exit->io.string = info & VMX_IO_STRING;
}

static void decode_nested_fault(struct vcpu *vcpu, struct exit *exit)
{
    uint64_t info = exit->info1 = vmread(QUALIFICATION);
    exit->reason = EXIT_NESTED_FAULT;
    exit->fault.gpa = exit->info2 = vmread(GUEST_PHYSICAL);
    exit->fault.table_walk = info & VMX_EPT_LINEAR && !(info & VMX_EPT_FINAL);
    exit->fault.access = info & VMX_EPT_FETCH   ? ACCESS_EXEC
                         : info & VMX_EPT_WRITE ? ACCESS_WRITE
                                                : ACCESS_READ;
    vmx_requeue(vcpu);
    if (vcpu->requeued.type == EVENT_NONE && info & VMX_EPT_UNBLOCKED)
        vmwrite(INTERRUPTIBILITY, vmread(INTERRUPTIBILITY) | BLOCKED_NMI); /* the IRET is executed again */
}

/* What the CPU leaves to us of a #DB that exits (28.1): DR6, from the qualification, where BLD and RTM are 1
 * when set; the rest is vcpu_inject_debug's. Delivery ends an interrupt shadow and HLT, and with either of
 * them VM entry would want a single step to be pending or not as TF says (27.3.1.5), which the exit does not
 * see to. INT1 leaves DR6 alone, and RIP stands on it. */
static void decode_debug(struct vcpu *vcpu, struct exit *exit, uint64_t type)
{
    uint64_t causes = vmread(QUALIFICATION), dr6 = read_dr6();
    if (type == VMX_ICEBP)
        exit->next_rip = vcpu->rip + vmread(INSTRUCTION_LENGTH);
    else
        write_dr6(
            ((dr6 & ~(uint64_t)DR6_BREAKPOINTS) | DR6_RTM | (causes & (DR6_BREAKPOINTS | DR6_BD | DR6_BS))) &
            ~(causes & (DR6_BLD | DR6_RTM)));
    vmx_clear_shadow(vcpu);
    vmwrite(ACTIVITY, 0);
}

static void decode_exception(struct vcpu *vcpu, struct exit *exit)
{
    uint64_t info = exit->info2 = vmread(EXIT_EVENT), type = info >> VMX_EVENT_TYPE_SHIFT & 7;
    vmx_requeue(vcpu);
    if (type == VMX_NMI) {
        /* NMIs are blocked from this exit to the next IRET, and VM entry does not end that (28.3, Bochs too):
         * the handler's own IRET does, before anything parks. Of a CPU in HLT, Bochs saves that it is active
         * (not as 28.3.4): the guest's HLT ends there with nothing to do, which Linux looks for anyway. */
        exit->reason = EXIT_NMI;
        int_nmi();
        return;
    }
    exit->reason = EXIT_EXCEPTION;
    exit->vector = (uint8_t)info;
    exit->error_code = info & VMX_EVENT_ERROR_VALID ? (uint32_t)vmread(EXIT_ERROR) : 0;
    if (exit->vector == VEC_PF) /* the CPU leaves CR2 alone, and gives here what belongs there */
        write_cr2(vmread(QUALIFICATION));
    else if (exit->vector == VEC_DB)
        decode_debug(vcpu, exit, type);
    if (vcpu->requeued.type == EVENT_NONE && info & VMX_EVENT_UNBLOCKED && exit->vector != VEC_DF)
        vmwrite(INTERRUPTIBILITY, vmread(INTERRUPTIBILITY) | BLOCKED_NMI);
}

/* Instructions whose exits are the neutral part's business, or #UD. */
static const uint8_t instructions[] = {
    [VMX_EXIT_CPUID] = EXIT_CPUID,      [VMX_EXIT_GETSEC] = EXIT_FORBIDDEN,
    [VMX_EXIT_HLT] = EXIT_HLT,          [VMX_EXIT_INVD] = EXIT_INVD,
    [VMX_EXIT_VMCALL] = EXIT_HYPERCALL, [VMX_EXIT_VMCLEAR... VMX_EXIT_VMXON] = EXIT_FORBIDDEN,
    [VMX_EXIT_RDMSR] = EXIT_MSR_READ,   [VMX_EXIT_WRMSR] = EXIT_MSR_WRITE,
    [VMX_EXIT_INVEPT] = EXIT_FORBIDDEN, [VMX_EXIT_INVVPID] = EXIT_FORBIDDEN,
    [VMX_EXIT_VMFUNC] = EXIT_FORBIDDEN};

/* A task switch stays EXIT_UNKNOWN, which resets the guest: of the guests here only i386 Linux has a task
 * gate, for the double fault that ends it anyway. */
static __attribute__((noinline)) void decode_other(struct vcpu *vcpu, struct exit *exit)
{
    exit->reason = EXIT_UNKNOWN;
    if (exit->code & VMX_REASON_ENTRY_FAILED) {
        exit->reason = EXIT_ENTRY_FAILED;
        return;
    }
    switch ((uint16_t)exit->code) {
    case VMX_EXIT_IO:
        decode_io(exit);
        return;
    case VMX_EXIT_CR:
        exit->info1 = vmread(QUALIFICATION);
        exit->reason = EXIT_NONE;
        vmx_cr_exit(vcpu, exit);
        return;
    case VMX_EXIT_XSETBV:
        exit->reason = EXIT_NONE;
        vmx_xsetbv_exit(vcpu, exit);
        return;
    }
    exit->next_rip = 0; /* no instruction's */
    switch ((uint16_t)exit->code) {
    case VMX_EXIT_EXCEPTION:
        decode_exception(vcpu, exit);
        break;
    case VMX_EXIT_EPT_VIOLATION:
        decode_nested_fault(vcpu, exit);
        break;
    case VMX_EXIT_TRIPLE_FAULT:
        exit->reason = EXIT_SHUTDOWN;
        break;
    case VMX_EXIT_INIT: /* Bochs leaves it pending: each entry would exit so. None is ever sent
                           (guest/lapic.c) */
        exit->reason = EXIT_INIT;
        break;
    case VMX_EXIT_TIMER:
        exit->reason = EXIT_TIMER;
        break;
    case VMX_EXIT_SIPI:
    case VMX_EXIT_INTERRUPT_WINDOW:
    case VMX_EXIT_NMI_WINDOW:
        exit->reason = EXIT_NONE;
        break;
    }
}

void vmx_decode_exit(struct vcpu *vcpu, struct exit *exit)
{
    uint32_t code = (uint32_t)vmread(EXIT_REASON);
    exit->code = code;
    exit->next_rip = vcpu->rip + vmread(INSTRUCTION_LENGTH);
    if (code < sizeof instructions && instructions[code] != EXIT_UNKNOWN)
        exit->reason = (enum exit_reason)instructions[code];
    else
        decode_other(vcpu, exit);
}
