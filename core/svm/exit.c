/* What an exit says (APM vol. 2, 15.7.2 and appendix C), in the words of vcpu.h; and which MSRs and ports
 * exit at all (15.10, 15.11). */
#include "core/guest/policy.h"
#include "core/svm/svm.h"
#include "core/x86/asm.h"

uint8_t svm_msrpm[8192] __attribute__((aligned(4096)));
uint8_t svm_iopm[12288] __attribute__((aligned(4096)));

/* Two bits an MSR, read then write, in three ranges of 2 KiB. Accesses outside of them always exit. */
static void trap_msr(uint32_t msr, bool read, bool write)
{
    static const uint32_t bases[] = {0, 0xC0000000, 0xC0010000};
    for (unsigned i = 0; i < 3; i++) {
        if (msr < bases[i] || msr >= bases[i] + 0x2000)
            continue;
        unsigned bit = (msr - bases[i]) * 2;
        svm_msrpm[i * 0x800 + bit / 8] |= (uint8_t)((read | write << 1) << bit % 8);
    }
}

void svm_permissions_init(void)
{
    const struct trapped_msr *msr;
    for (unsigned i = 0; (msr = policy_msr(i)); i++)
        for (uint32_t number = msr->first; number <= msr->last; number++)
            trap_msr(number, msr->read, msr->write);
    for (uint32_t port = 0; port < 65536; port++)
        if (policy_port_trapped((uint16_t)port))
            svm_iopm[port / 8] |= (uint8_t)(1 << port % 8);
}

static void decode_io(const struct vmcb *vmcb, struct exit *exit)
{
    uint64_t info = vmcb->exit_info1;
    exit->reason = EXIT_IO;
    exit->io.port = (uint16_t)(info >> SVM_IO_PORT_SHIFT);
    exit->io.size = info >> SVM_IO_SIZE_SHIFT & 7;
    exit->io.in = info & SVM_IO_IN;
    exit->io.string = info & SVM_IO_STRING;
    exit->next_rip = vmcb->exit_info2;
}

static void decode_nested_fault(const struct vmcb *vmcb, struct exit *exit)
{
    uint64_t info = vmcb->exit_info1;
    exit->reason = EXIT_NESTED_FAULT;
    exit->fault.gpa = vmcb->exit_info2;
    exit->fault.table_walk = info & SVM_NPF_TABLE_WALK;
    /* A walk of the guest's tables counts as a write; the fetch bit (it needs the host's EFER.NXE) belongs to
     * the walk's cause then. */
    exit->fault.access = info & SVM_NPF_FETCH && !exit->fault.table_walk ? ACCESS_EXEC
                         : info & SVM_NPF_WRITE                          ? ACCESS_WRITE
                                                                         : ACCESS_READ;
}

void svm_decode_exit(struct vcpu *vcpu, struct exit *exit)
{
    struct vmcb *vmcb = vmcb_of(vcpu);
    *exit = (struct exit){.reason = EXIT_UNKNOWN,
                          .code = vmcb->exit_code,
                          .info1 = vmcb->exit_info1,
                          .info2 = vmcb->exit_info2};
    if ((uint32_t)vmcb->exit_code == SVM_INVALID) {
        exit->reason = EXIT_ENTRY_FAILED;
        return;
    }
    /* QEMU's SYSENTER in long mode leaves CS with L and D both set, which its own VMRUN refuses; a CPU sets L
     * alone. */
    if ((vmcb->cs.attributes & (SEGMENT_LONG | SEGMENT_BIG)) == (SEGMENT_LONG | SEGMENT_BIG))
        vmcb->cs.attributes &= (uint16_t)~SEGMENT_BIG;
    if (exit->code >= SVM_EXCEPTION && exit->code <= SVM_EXCEPTION_LAST) {
        exit->reason = EXIT_EXCEPTION;
        exit->vector = (unsigned)(exit->code - SVM_EXCEPTION);
        exit->error_code = (uint32_t)exit->info1;
        if (exit->vector == VEC_PF) /* the CPU leaves CR2 alone and gives the address here (15.12.15) */
            svm_set_cr2(vcpu, exit->info2);
        return;
    }
    /* 0 where the CPU does not save it: QEMU's EPYC does not. */
    exit->next_rip = vmcb->next_rip;
    switch (exit->code) {
    case SVM_INTR: /* it stays pending; svm_finish_events ends the step, and it comes to the guest after the NMI */
        exit->reason = EXIT_NONE;
        break;
    case SVM_NMI:
        exit->reason = EXIT_NMI;
        break;
    case SVM_INIT:
        exit->reason = EXIT_INIT;
        break;
    case SVM_CPUID:
        exit->reason = EXIT_CPUID;
        break;
    case SVM_IRET:
        exit->reason = EXIT_NONE; /* svm_finish_events */
        break;
    case SVM_INVD:
        exit->reason = EXIT_INVD;
        break;
    case SVM_HLT:
        exit->reason = EXIT_HLT;
        break;
    case SVM_IO:
        decode_io(vmcb, exit);
        break;
    case SVM_MSR:
        exit->reason = exit->info1 & 1 ? EXIT_MSR_WRITE : EXIT_MSR_READ;
        break;
    case SVM_SHUTDOWN:
        exit->reason = EXIT_SHUTDOWN;
        break;
    case SVM_VMMCALL:
        exit->reason = EXIT_HYPERCALL;
        break;
    /* INT1's #DB is a trap. Where RIP stands when it meets the intercept of #DB is nowhere said; here it
     * stands on the instruction. */
    case SVM_ICEBP:
        exit->reason = EXIT_EXCEPTION;
        exit->vector = VEC_DB;
        exit->next_rip = exit->next_rip ? exit->next_rip : vcpu->rip + 1;
        break;
    case SVM_NPF:
        decode_nested_fault(vmcb, exit);
        break;
    default:
        if (exit->code == SVM_INVLPGA || exit->code == SVM_VMRUN ||
            (exit->code >= SVM_VMLOAD && exit->code <= SVM_SKINIT))
            exit->reason = EXIT_FORBIDDEN;
    }
}
