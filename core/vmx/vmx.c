/*
 * The VMX backend: one guest, EPT, unrestricted guest, no interception that is not needed. The guest owns
 * interrupts (no external-interrupt exiting), the FPU and XCR0 (the hypervisor uses neither), CR2, debug
 * registers 0 to 3 and 6. Chapters are of SDM vol. 3.
 */
#include "core/vmx/vmx.h"
#include "core/cpu.h"
#include "core/memory.h"
#include "core/string.h"
#include "core/view.h"
#include "core/x86/asm.h"
#include "core/x86/reset.h"
#include "core/x86/trap.h"

enum { CPUID_XSAVE = 1 << 26, VPIDS = 65536 };

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static unsigned address_spaces(void)
{
    return VPIDS;
}

static int cpu_start(struct vcpu *vcpu)
{
    uint8_t *pages = memory_carve(3 * PAGE_SIZE);
    if (!pages)
        return -E_NOMEM;
    struct vmx *vmx = vcpu->hw = pages;
    vmx->vmxon = pages + PAGE_SIZE;
    vmx->vmcs = pages + 2 * PAGE_SIZE;
    memcpy(vmx->vmxon, &vmx_controls.revision, sizeof vmx_controls.revision);
    memcpy(vmx->vmcs, &vmx_controls.revision, sizeof vmx_controls.revision);
    vmx->not_physical = ~0ull << (cpuid(0x80000008, 0).eax & 0xFF);
    vcpu->flush = true;
    return 0;
}

static void set_host_state(struct cpu *cpu)
{
    struct table_pointer gdt, idt;
    uint16_t cs, ss, tr;
    __asm__ volatile("sgdt %0\n\tsidt %1" : "=m"(gdt), "=m"(idt));
    __asm__ volatile("mov %%cs, %0\n\tmov %%ss, %1\n\tstr %2" : "=r"(cs), "=r"(ss), "=r"(tr));
    vmwrite(HOST_CS_SELECTOR, cs);
    vmwrite(HOST_SS_SELECTOR, ss);
    vmwrite(HOST_DS_SELECTOR, ss);
    vmwrite(HOST_ES_SELECTOR, ss);
    vmwrite(HOST_FS_SELECTOR, 0);
    vmwrite(HOST_GS_SELECTOR, 0);
    vmwrite(HOST_TR_SELECTOR, tr);
    vmwrite(HOST_CR0, read_cr0());
    vmwrite(HOST_CR3, read_cr3());
    vmwrite(HOST_CR4, read_cr4());
    vmwrite(HOST_PAT, rdmsr(MSR_PAT));
    vmwrite(HOST_EFER, rdmsr(MSR_EFER));
    vmwrite(HOST_FS_BASE, 0);
    vmwrite(HOST_GS_BASE, (uint64_t)cpu);
    vmwrite(HOST_TR_BASE, (uint64_t)cpu->tss);
    vmwrite(HOST_GDTR_BASE, gdt.base);
    vmwrite(HOST_IDTR_BASE, idt.base);
    vmwrite(HOST_RIP, (uint64_t)vmx_exited);
}

static void set_controls(struct vmx *vmx)
{
    const struct vmx_controls *c = &vmx_controls;
    vmwrite(PIN_CONTROLS, c->pin);
    vmwrite(PRIMARY_CONTROLS, vmx->primary = c->primary);
    vmwrite(SECONDARY_CONTROLS, c->secondary);
    vmwrite(EXIT_CONTROLS, c->exit);
    vmwrite(ENTRY_CONTROLS, c->entry);
    vmwrite(IO_BITMAP_A, (uint64_t)vmx_io_bitmaps);
    vmwrite(IO_BITMAP_B, (uint64_t)vmx_io_bitmaps + PAGE_SIZE);
    vmwrite(MSR_BITMAP, (uint64_t)vmx_msr_bitmap);
    /* VMCLEAR gives no field a value. */
    static const uint16_t zero[] = {
        CR3_TARGETS,        PAGE_FAULT_MASK,  PAGE_FAULT_MATCH,  EXIT_MSR_STORES,   EXIT_MSR_LOADS,
        ENTRY_MSR_LOADS,    HOST_SYSENTER_CS, HOST_SYSENTER_ESP, HOST_SYSENTER_EIP, GUEST_SYSENTER_ESP,
        GUEST_SYSENTER_EIP, TSC_OFFSET,       CR4_SHADOW};
    for (unsigned i = 0; i < sizeof zero / sizeof *zero; i++)
        vmwrite(zero[i], 0);
    /* As event.c would; it looks only where something has changed. */
    vmwrite(EXCEPTION_BITMAP, vmx->exceptions = 1u << VEC_UD | VECTORS_ENDLESS);
    if (c->secondary & SECONDARY_XSAVES)
        vmwrite(XSS_EXITING, 0);
    vmwrite(CR0_MASK, VMX_CR0_OURS);
    vmwrite(CR4_MASK, CR4_VMXE);
    vmwrite(VMCS_LINK, ~0ull);
}

/* False: the instruction failed. */
static bool vmxon(void *region)
{
    bool failed;
    __asm__ volatile("vmxon %1" : "=@ccbe"(failed) : "m"(region) : "memory");
    return !failed;
}
static bool vmclear_and_load(void *vmcs)
{
    bool failed, not_cleared;
    __asm__ volatile("vmclear %1" : "=@ccbe"(not_cleared) : "m"(vmcs) : "memory");
    __asm__ volatile("vmptrld %1" : "=@ccbe"(failed) : "m"(vmcs) : "memory");
    return !failed && !not_cleared;
}

/* VMXON (24.7), and the VMCS that stays current on this CPU. */
static const char *cpu_enable(struct vcpu *vcpu)
{
    struct vmx *vmx = vmx_of(vcpu);
    const char *why = vmx_unlock();
    if (why)
        return why;
    write_cr0((read_cr0() | rdmsr(MSR_VMX_CR0_FIXED0)) & rdmsr(MSR_VMX_CR0_FIXED1));
    /* OSXSAVE: for the guest's XSETBV, which is executed here. */
    uint64_t cr4 = read_cr4() | CR4_VMXE | (cpuid(1, 0).ecx & CPUID_XSAVE ? CR4_OSXSAVE : 0);
    write_cr4((cr4 | rdmsr(MSR_VMX_CR4_FIXED0)) & rdmsr(MSR_VMX_CR4_FIXED1));
    if (!vmxon(vmx->vmxon) || !vmclear_and_load(vmx->vmcs))
        return "VMXON or VMPTRLD failed: a bug, or a CPU whose IA32_VMX_BASIC differs from the first one's";
    set_host_state(vcpu->cpu);
    set_controls(vmx);
    return NULL;
}

static void set_table(enum vmcs_field base, enum vmcs_field limit, uint64_t at, uint32_t size)
{
    vmwrite(base, at);
    vmwrite(limit, size);
}

static void set_segment(unsigned number, uint16_t selector, uint64_t base, uint32_t limit,
                        uint32_t attributes)
{
    vmwrite(GUEST_ES_SELECTOR + 2 * number, selector);
    vmwrite(GUEST_ES_BASE + 2 * number, base);
    vmwrite(GUEST_ES_LIMIT + 2 * number, limit);
    vmwrite(GUEST_ES_RIGHTS + 2 * number, (attributes & RIGHTS_LOW) | (attributes & RIGHTS_HIGH)
                                                                          << RIGHTS_HIGH_SHIFT);
}
enum { SEG_LDTR = SEG_GS + 1, SEG_TR };

static void set_data_segments(uint16_t selector, uint32_t limit, uint32_t attributes)
{
    for (unsigned i = SEG_ES; i <= SEG_GS; i++)
        if (i != SEG_CS)
            set_segment(i, selector, 0, limit, attributes);
}

/* Table 10-1: state after INIT, as on SVM. */
static void reset(struct vcpu *vcpu)
{
    struct vmx *vmx = vmx_of(vcpu);
    memset(vcpu->gpr, 0, sizeof vcpu->gpr);
    vcpu->gpr[REG_RDX] = cpuid(1, 0).eax;
    vcpu->rip = 0xFFF0;
    vcpu->rflags = RFLAGS_FIXED;
    vmwrite(GUEST_RSP, vmx->rsp = 0);
    vmwrite(GUEST_RFLAGS, vmx->rflags = RFLAGS_FIXED);
    vcpu->event.type = vcpu->requeued.type = EVENT_NONE;
    vcpu->nmi_held = vcpu->exceptions_intercepted = false;
    vcpu->flush = true;
    set_segment(SEG_CS, RESET_CS_SELECTOR, 0xFFFF0000, 0xFFFF, ATTR_CODE);
    set_data_segments(0, 0xFFFF, ATTR_DATA);
    set_segment(SEG_LDTR, 0, 0, 0xFFFF, ATTR_LDT);
    set_segment(SEG_TR, 0, 0, 0xFFFF, ATTR_TSS);
    set_table(GUEST_GDTR_BASE, GUEST_GDTR_LIMIT, 0, 0xFFFF);
    set_table(GUEST_IDTR_BASE, GUEST_IDTR_LIMIT, 0, 0xFFFF);
    vmwrite(GUEST_CR3, 0);
    vmwrite(GUEST_CR4, CR4_VMXE | rdmsr(MSR_VMX_CR4_FIXED0));
    vmwrite(GUEST_EFER, 0);
    vmwrite(ENTRY_CONTROLS, vmx_controls.entry);
    vmwrite(GUEST_CR0, CR0_ET | CR0_NE);
    vmwrite(CR0_SHADOW, vmx->cr0_shadow = RESET_CR0 & VMX_CR0_OURS);
    vmwrite(GUEST_DR7, RESET_DR7);
    write_cr2(0);
    write_dr6(RESET_DR6);
    vmwrite(GUEST_DEBUGCTL, 0);
    vmwrite(GUEST_PAT, RESET_PAT);
    vmwrite(GUEST_SYSENTER_CS, 0);
    vmwrite(INTERRUPTIBILITY, 0); /* Bochs saves bits that it does not accept with a SIPI's exit */
    vmwrite(ACTIVITY, 0);
    vmwrite(PENDING_DEBUG, 0);
    vmwrite(ENTRY_EVENT, 0);
}

static void set_sipi(struct vcpu *vcpu, uint8_t vector)
{
    set_segment(SEG_CS, (uint16_t)(vector << 8), (uint64_t)vector << 12, 0xFFFF, ATTR_CODE);
    vcpu->rip = 0;
}

static void set_protected(struct vcpu *vcpu, uint16_t cs, uint16_t ds, uint32_t entry)
{
    vmx_write_cr0(vcpu, CR0_PE | CR0_ET);
    set_segment(SEG_CS, cs, 0, 0xFFFFFFFF, ATTR_CODE | ATTR_FLAT32);
    set_data_segments(ds, 0xFFFFFFFF, ATTR_DATA | ATTR_FLAT32);
    vcpu->rip = entry;
}

static void set_gdt(struct vcpu *vcpu, uint64_t base, uint16_t limit)
{
    (void)vcpu;
    set_table(GUEST_GDTR_BASE, GUEST_GDTR_LIMIT, base, limit);
}

static void close_nmis(void)
{
    struct cpu *cpu = this_cpu();
    cpu->vcpu.nmis_at_close = atomic_load(&cpu->nmi_seen);
}
static void open_nmis(void) {}

static bool has_timer(void)
{
    return vmx_controls.timer;
}

/* What is left until the limit; a timer that is loaded with 0 exits before the first instruction (27.7.4). */
static void set_timer(struct vmx *vmx, uint64_t limit_end)
{
    uint64_t now = rdtsc(), left = limit_end > now ? (limit_end - now) >> vmx_controls.timer_shift : 0;
    if (!vmx_controls.timer)
        return;
    if (vmx->timer_on != (limit_end != 0))
        vmwrite(PIN_CONTROLS, vmx_controls.pin | ((vmx->timer_on = limit_end != 0) ? PIN_TIMER : 0));
    if (limit_end)
        vmwrite(PREEMPTION_TIMER, left < UINT32_MAX ? left : UINT32_MAX);
}

static void load(struct vcpu *vcpu, struct vmx *vmx)
{
    uint64_t generation = atomic_load(&view_generation);
    if (vcpu->flush || generation != vcpu->seen_generation) {
        vmx_flush();
        vcpu->seen_generation = generation;
        vcpu->flush = false;
        vmx->view = NULL; /* it may be another one by now, in the same place */
    }
    if (vcpu->view != vmx->view) {
        vmwrite(EPT_POINTER, vcpu->view->root | EPTP_WALK_4 | EPTP_WB);
        vmwrite(VPID, vcpu->view->asid);
        vmx->view = vcpu->view;
    }
    if (vmx->pdptes_stale) {
        vmx_load_pdptes(vcpu);
        vmx->pdptes_stale = false;
    }
    uint64_t limit_end = atomic_load_explicit(&vcpu->limit_end, memory_order_relaxed);
    if (limit_end || vmx->timer_on)
        set_timer(vmx, limit_end);
    if (vcpu->tsc_offset != vmx->tsc_offset)
        vmwrite(TSC_OFFSET, vmx->tsc_offset = vcpu->tsc_offset);
    if (vcpu->gpr[REG_RSP] != vmx->rsp)
        vmwrite(GUEST_RSP, vcpu->gpr[REG_RSP]);
    if (vcpu->rflags != vmx->rflags)
        vmwrite(GUEST_RFLAGS, vcpu->rflags);
    vmwrite(GUEST_RIP, vcpu->rip);
}

static void not_entered(struct vcpu *vcpu, enum vmx_entered entered, struct exit *exit)
{
    struct vmx *vmx = vmx_of(vcpu);
    if (entered == VMX_REFUSED) {
        *exit = (struct exit){.reason = EXIT_ENTRY_FAILED, .code = vmread(INSTRUCTION_ERROR)};
        return;
    }
    vmx_take_back(vcpu);
    vmx->rsp = vcpu->gpr[REG_RSP];
    vmx->rflags = vcpu->rflags;
    *exit = (struct exit){.reason = EXIT_NONE};
}

static void enter(struct vcpu *vcpu, struct exit *exit)
{
    struct vmx *vmx = vmx_of(vcpu);
    vmx_prepare_events(vcpu);
    load(vcpu, vmx);
    enum vmx_entered entered = vmx_enter();
    if (entered != VMX_EXITED) {
        not_entered(vcpu, entered, exit);
        return;
    }
    vcpu->launched = true;
    vcpu->gpr[REG_RSP] = vmx->rsp = vmread(GUEST_RSP);
    vcpu->rip = vmread(GUEST_RIP);
    vcpu->rflags = vmx->rflags = vmread(GUEST_RFLAGS);
    vmx_decode_exit(vcpu, exit);
}

const struct backend vmx_backend = {
    .name = "VMX",
    .present = vmx_present,
    .probe = vmx_probe,
    .address_spaces = address_spaces,
    .cpu_start = cpu_start,
    .cpu_enable = cpu_enable,
    .permissions_init = vmx_permissions_init,
    .reset = reset,
    .set_sipi = set_sipi,
    .set_protected = set_protected,
    .set_gdt = set_gdt,
    .close = close_nmis,
    .open = open_nmis,
    .look = vmx_look,
    .look_end = vmx_look_end,
    .has_timer = has_timer,
    .enter = enter,
    .read = vmx_read,
    .write = vmx_write,
    .read_system = vmx_read_system,
    .write_system = vmx_write_system,
    .segment = vmx_segment,
    .clear_shadow = vmx_clear_shadow,
    .explain = vmx_explain,
    .nested_leaf = vmx_nested_leaf,
    .nested_table = vmx_nested_table,
    .nested_prot = vmx_nested_prot,
    .nested_whole = vmx_nested_whole,
};
