/*
 * The SVM backend: one guest, nested paging, no interception that is not needed. The guest owns interrupts
 * (no INTR intercept, but for a step of event.c; no virtual masking, so its RFLAGS.IF and TPR are the real
 * ones), the FPU and XCR0 (the hypervisor uses neither; XSETBV is not intercepted), debug registers 0 to 3,
 * and MTRRs. Chapters are of APM vol. 2.
 */
#include "core/svm/svm.h"
#include "core/cpu.h"
#include "core/memory.h"
#include "core/view.h"
#include "core/x86/asm.h"
#include "core/x86/reset.h"
#include "core/x86/trap.h"

enum {
    CPUID_SVM = 1 << 2,
    CPUID_NPT = 1 << 0,
    VM_CR_R_INIT = 1 << 1,
    VM_CR_DIS_A20M = 1 << 2,
    VM_CR_SVMDIS = 1 << 4
};
/* Nested table entries have the format of ordinary ones; every guest access is a user access (15.25.5). */
enum { NPT_P = 1 << 0, NPT_W = 1 << 1, NPT_U = 1 << 2, NPT_A = 1 << 5, NPT_D = 1 << 6, NPT_LARGE = 1 << 7 };
#define NPT_NX (1ull << 63)

static uint64_t host_vmcb[MAX_CPUS];
static unsigned asids;

static bool present(void)
{
    return cpuid(0x80000000, 0).eax >= 0x8000000A && cpuid(0x80000001, 0).ecx & CPUID_SVM;
}

static const char *probe(void)
{
    struct cpuid svm = cpuid(0x8000000A, 0);
    if (!(svm.edx & CPUID_NPT))
        return "this CPU has SVM but no nested paging (CPUID 8000000A EDX bit 0): use one that has (QEMU: "
               "+npt)";
    asids = svm.ebx;
    return asids < 3 ? "this CPU has fewer than 3 ASIDs: use another" : NULL;
}

static unsigned address_spaces(void)
{
    return asids;
}

static int cpu_start(struct vcpu *vcpu)
{
    uint8_t *pages = memory_carve(3 * PAGE_SIZE); /* guest VMCB, host VMCB, host save area */
    if (!pages)
        return -E_NOMEM;
    vcpu->hw = pages;
    host_vmcb[vcpu->cpu->index] = (uint64_t)pages + PAGE_SIZE;
    struct vmcb *vmcb = vmcb_of(vcpu);
    vmcb->iopm = (uint64_t)svm_iopm;
    vmcb->msrpm = (uint64_t)svm_msrpm;
    vmcb->nested_enable = SVM_NESTED_ENABLE;
    vmcb->intercept_misc2 = INTERCEPT_VMRUN | INTERCEPT_VMMCALL | INTERCEPT_VMLOAD | INTERCEPT_VMSAVE |
                            INTERCEPT_STGI | INTERCEPT_CLGI | INTERCEPT_SKINIT | INTERCEPT_ICEBP;
    vcpu->flush = true;
    return 0;
}

/* On the CPU itself: SVM on, and the host state that VMLOAD brings back after each exit. With SVMDIS, to set
 * EFER.SVME is #GP (15.30.1). */
static const char *cpu_enable(struct vcpu *vcpu)
{
    uint64_t host = host_vmcb[vcpu->cpu->index];
    if (rdmsr(MSR_VM_CR) & VM_CR_SVMDIS)
        return "SVM is disabled by the firmware (VM_CR.SVMDIS): turn SVM on in its setup";
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
    /* A physical INIT becomes #SX (15.28), and no A20 gate masks our addresses. QEMU and Bochs have neither
     * bit. */
    wrmsr(MSR_VM_CR, rdmsr(MSR_VM_CR) | VM_CR_R_INIT | VM_CR_DIS_A20M);
    wrmsr(MSR_VM_HSAVE_PA, host + PAGE_SIZE);
    __asm__ volatile("vmsave %0" ::"a"(host) : "memory");
    return NULL;
}

static void set_segment(struct vmcb_segment *s, uint16_t selector, uint64_t base, uint32_t limit,
                        uint16_t attributes)
{
    *s = (struct vmcb_segment){selector, attributes, limit, base};
}

static void set_data_segments(struct vmcb *vmcb, uint16_t selector, uint32_t limit, uint16_t attributes)
{
    struct vmcb_segment *all[] = {&vmcb->ds, &vmcb->es, &vmcb->fs, &vmcb->gs, &vmcb->ss};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        set_segment(all[i], selector, 0, limit, attributes);
}

static void write_register(struct vcpu *vcpu, enum reg reg, uint64_t value);

/* Table 14-1: state after INIT. The FPU, MTRRs and machine-check registers are kept, as INIT keeps them. */
static void reset(struct vcpu *vcpu)
{
    struct vmcb *vmcb = vmcb_of(vcpu);
    for (unsigned i = 0; i < 16; i++)
        vcpu->gpr[i] = 0;
    vcpu->gpr[REG_RDX] = cpuid(1, 0).eax; /* processor signature */
    vcpu->rip = 0xFFF0;
    vcpu->rflags = RFLAGS_FIXED;
    vcpu->event.type = vcpu->requeued.type = EVENT_NONE;
    vcpu->nmi_block = NMI_OPEN;
    vcpu->stepping = vcpu->nmi_held = vcpu->exceptions_intercepted = false;
    vcpu->flush = true;
    set_segment(&vmcb->cs, RESET_CS_SELECTOR, 0xFFFF0000, 0xFFFF, ATTR_CODE);
    set_data_segments(vmcb, 0, 0xFFFF, ATTR_DATA);
    set_segment(&vmcb->gdtr, 0, 0, 0xFFFF, 0);
    set_segment(&vmcb->idtr, 0, 0, 0xFFFF, 0);
    set_segment(&vmcb->ldtr, 0, 0, 0xFFFF, ATTR_LDT);
    set_segment(&vmcb->tr, 0, 0, 0xFFFF, ATTR_TSS);
    vmcb->cr0 = RESET_CR0;
    vmcb->cr2 = vmcb->cr3 = vmcb->cr4 = 0;
    vmcb->efer = EFER_SVME; /* the guest does not see it (guest/msr.c) */
    vmcb->dr6 = RESET_DR6;
    vmcb->dr7 = RESET_DR7;
    vmcb->cpl = 0;
    vmcb->interrupt_shadow = vmcb->event_injection = 0;
    vmcb->pat = RESET_PAT;
    write_register(vcpu, REG_DEBUGCTL, 0);
    svm_update_intercepts(vcpu);
}

static void set_sipi(struct vcpu *vcpu, uint8_t vector)
{
    set_segment(&vmcb_of(vcpu)->cs, (uint16_t)(vector << 8), (uint64_t)vector << 12, 0xFFFF, ATTR_CODE);
    vcpu->rip = 0;
}

static void set_protected(struct vcpu *vcpu, uint16_t cs, uint16_t ds, uint32_t entry)
{
    struct vmcb *vmcb = vmcb_of(vcpu);
    vmcb->cr0 = CR0_PE | CR0_ET;
    set_segment(&vmcb->cs, cs, 0, 0xFFFFFFFF, ATTR_CODE | ATTR_FLAT32);
    set_data_segments(vmcb, ds, 0xFFFFFFFF, ATTR_DATA | ATTR_FLAT32);
    vcpu->rip = entry;
}

static void set_gdt(struct vcpu *vcpu, uint64_t base, uint16_t limit)
{
    set_segment(&vmcb_of(vcpu)->gdtr, 0, base, limit, 0);
}

static void close_nmis(void)
{
    __asm__ volatile("clgi" ::: "memory");
}
/* What is pending is delivered to the host's vector 2 here, one instruction behind STGI. */
static void open_nmis(void)
{
    __asm__ volatile("stgi\n\tnop" ::: "memory");
}

static void enter(struct vcpu *vcpu, struct exit *exit)
{
    struct vmcb *vmcb = vmcb_of(vcpu);
    svm_prepare_events(vcpu);
    /* Behind the last look at the mail box: an edit after this sample comes with a stop of this CPU, or finds
     * it in wait-for-SIPI. */
    uint64_t generation = atomic_load(&view_generation);
    bool flush = vcpu->flush || generation != vcpu->seen_generation;
    vmcb->tlb_control = flush ? SVM_TLB_FLUSH_ALL
                              : 0; /* 15.16.2; QEMU flushes at every VMRUN and would not show its absence */
    vmcb->asid = vcpu->view->asid;
    vmcb->nested_cr3 = vcpu->view->root;
    vmcb->rax = vcpu->gpr[REG_RAX];
    vmcb->rsp = vcpu->gpr[REG_RSP];
    vmcb->rip = vcpu->rip;
    vmcb->rflags = vcpu->rflags;
    vmcb->tsc_offset = vcpu->tsc_offset;

    svm_enter(vcpu, (uint64_t)vmcb, host_vmcb[vcpu->cpu->index]);

    svm_decode_exit(vcpu, exit);
    /* Only an entry that took place has flushed. What was refused is kept, for the report. */
    if (exit->reason != EXIT_ENTRY_FAILED) {
        vcpu->gpr[REG_RAX] = vmcb->rax;
        vcpu->gpr[REG_RSP] = vmcb->rsp;
        vcpu->rip = vmcb->rip;
        vcpu->rflags = vmcb->rflags;
        vcpu->seen_generation = generation;
        vcpu->flush = false;
    }
    svm_finish_events(vcpu, exit);
}

static uint64_t *field(struct vcpu *vcpu, enum reg reg)
{
    struct vmcb *vmcb = vmcb_of(vcpu);
    switch (reg) {
    case REG_CR0:
        return &vmcb->cr0;
    case REG_CR2:
        return &vmcb->cr2;
    case REG_CR3:
        return &vmcb->cr3;
    case REG_CR4:
        return &vmcb->cr4;
    case REG_EFER:
        return &vmcb->efer;
    case REG_DR6:
        return &vmcb->dr6;
    case REG_DR7:
        return &vmcb->dr7;
    case REG_SYSENTER_CS:
        return &vmcb->sysenter_cs;
    default:
        return NULL;
    }
}

/* VMRUN loads CR2 from the VMCB (15.5.1); Bochs 2.7's does not, but neither does its #VMEXIT change it. */
void svm_set_cr2(struct vcpu *vcpu, uint64_t value)
{
    vmcb_of(vcpu)->cr2 = value;
    write_cr2(value);
}

static uint64_t read_register(struct vcpu *vcpu, enum reg reg)
{
    if (reg == REG_CPL)
        return vmcb_of(vcpu)->cpl;
    if (reg == REG_DEBUGCTL) { /* not switched without LBR virtualisation: the MSR itself holds the guest's */
        uint64_t value;
        return msr_read_safe(MSR_DEBUGCTL, &value) ? value : 0;
    }
    uint64_t value = *field(vcpu, reg);
    return reg == REG_EFER ? value & ~(uint64_t)EFER_SVME : value;
}

static void write_register(struct vcpu *vcpu, enum reg reg, uint64_t value)
{
    if (reg == REG_DEBUGCTL)
        msr_write_safe(MSR_DEBUGCTL, value);
    else if (reg == REG_CR2)
        svm_set_cr2(vcpu, value);
    else
        *field(vcpu, reg) = reg == REG_EFER ? value | EFER_SVME : value;
}

static void read_system(struct vcpu *vcpu, uint64_t regs[REG_CPL])
{
    for (enum reg reg = REG_CR0; reg <= REG_SYSENTER_CS; reg++)
        regs[reg] = read_register(vcpu, reg);
}

static void write_system(struct vcpu *vcpu, const uint64_t regs[REG_CPL])
{
    for (enum reg reg = REG_CR0; reg <= REG_SYSENTER_CS; reg++)
        write_register(vcpu, reg, regs[reg]);
}

static void read_segment(struct vcpu *vcpu, enum segment_name name, struct segment *out)
{
    const struct vmcb_segment *s = &vmcb_of(vcpu)->es + name; /* the same order as enum segment_name */
    *out = (struct segment){s->selector, s->attributes, s->limit, s->base};
}

static void clear_shadow(struct vcpu *vcpu)
{
    vmcb_of(vcpu)->interrupt_shadow &= ~(uint64_t)SVM_SHADOW;
}

static uint64_t nested_leaf(uint64_t address, unsigned prot, bool large)
{
    return address | NPT_P | NPT_U | (prot & ACCESS_WRITE ? NPT_W : 0) | (prot & ACCESS_EXEC ? 0 : NPT_NX) |
           (large ? NPT_LARGE : 0);
}
static uint64_t nested_table(uint64_t address)
{
    return address | NPT_P | NPT_W | NPT_U;
}
static unsigned nested_prot(uint64_t entry)
{
    if (!(entry & NPT_P))
        return 0;
    return ACCESS_READ | (entry & NPT_W ? ACCESS_WRITE : 0u) | (entry & NPT_NX ? 0u : ACCESS_EXEC);
}

/* MTRRs apply to the guest's accesses too, and tell the types inside a page (15.25.8). */
static bool nested_whole(uint64_t address, uint64_t size)
{
    (void)address, (void)size;
    return true;
}

const struct backend svm_backend = {
    .name = "SVM",
    .present = present,
    .probe = probe,
    .address_spaces = address_spaces,
    .cpu_start = cpu_start,
    .cpu_enable = cpu_enable,
    .permissions_init = svm_permissions_init,
    .reset = reset,
    .set_sipi = set_sipi,
    .set_protected = set_protected,
    .set_gdt = set_gdt,
    .close = close_nmis,
    .open = open_nmis,
    .enter = enter,
    .read = read_register,
    .write = write_register,
    .read_system = read_system,
    .write_system = write_system,
    .segment = read_segment,
    .clear_shadow = clear_shadow,
    .explain = svm_explain,
    .nested_leaf = nested_leaf,
    .nested_table = nested_table,
    .nested_prot = nested_prot,
    .nested_used = NPT_A | NPT_D,
    .nested_whole = nested_whole,
};
