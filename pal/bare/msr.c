/* MSRs: those that the hypervisor keeps, those that it watches, and those that nobody has. */
#include "pal/bare/bare.h"

CODE(read_msr, "rdmsr");
CODE(write_msr, "wrmsr");
/* Reads back what was written. */
CODE(write_read, "wrmsr; xor %eax, %eax; xor %edx, %edx; rdmsr");
CODE(write_same, "rdmsr; wrmsr; xor %eax, %eax; xor %edx, %edx");
/* RSI: bits to change. */
CODE(flip, "rdmsr; xor %esi, %eax; wrmsr; rdmsr");
/* The clock is set to 0 and read at once: less than 2^20 ticks may have gone by. */
CODE(set_clock, "wrmsr; rdtsc; shr $20, %eax");
CODE(read_masked, "rdmsr; and %rsi, %rax; and %rdi, %rdx");
CODE(misc_xd, "rdmsr; or $4, %edx; wrmsr; rdmsr; xor %eax, %eax; and $4, %edx");
/* A deadline in 2^52, then the clock set to 0: it reads as it was written. */
CODE(deadline, "mov $0xfee00320, %esi; movl $0x500fe, (%rsi); mov $0x100000, %edx; wrmsr;"
               " mov $0x10, %ecx; xor %edx, %edx; wrmsr; mov $0x6e0, %ecx; rdmsr; mov %rdx, %rbx;"
               " xor %edx, %edx; wrmsr; rdmsr; movl $0x100fe, (%rsi)");
CODE(step_write, "pushfq; orl $0x100, (%rsp); popfq; wrmsr; nop");
CODE(clear_efer,
     "mov $0xc0000080, %ecx; rdmsr; and $0xfffffffe, %eax; wrmsr; xor %eax, %eax; xor %edx, %edx");

enum {
    TSC = 0x10,
    APIC_BASE = 0x1B,
    FEATURE_CONTROL = 0x3A,
    TSC_ADJUST = 0x3B,
    BIOS_UPDATE = 0x79,
    SYSENTER_CS = 0x174,
    SYSENTER_ESP = 0x175,
    MISC_ENABLE = 0x1A0,
    DEBUGCTL = 0x1D9,
    PAT = 0x277,
    PEBS_ENABLE = 0x3F1,
    PEBS_BASE = 0x3F4,
    VMX_BASIC = 0x480,
    VMX_EPT = 0x48C,
    TRACE_OUTPUT = 0x560,
    TRACE_CONTROL = 0x570,
    DS_AREA = 0x600,
    TSC_DEADLINE = 0x6E0,
    XSS = 0xDA0,
    LBR_CONTROL = 0x14CE,
    FEEDBACK = 0x17D0,
    X2APIC_ID = 0x802,
    KVM_CLOCK = 0x4B564D00,
};
#define EFER       0xC0000080
#define STAR       0xC0000081
#define LSTAR      0xC0000082
#define GS_BASE    0xC0000101
#define TSC_AUX    0xC0000103
#define AMD_DEBUG  0xC000010F
#define SYSCFG     0xC0010010
#define MMIO_CFG   0xC0010058
#define VM_CR      0xC0010114
#define HSAVE_PA   0xC0010117
#define SVME       (1 << 12)
#define NONCANONIC 0x80000000

static const struct test list[] = {
    {"rdmsr_user", read_msr, .rcx = EFER, .user = true},
    {"efer", read_msr, .rcx = EFER},
    {"efer_sce", flip, .rcx = EFER, .rsi = 1},
    {"efer_sce_off", clear_efer},
    {"efer_nxe", flip, .rcx = EFER, .rsi = 1 << 11},
    {"efer_nxe_off", flip, .rcx = EFER, .rsi = 1 << 11},
    {"efer_svme", flip, .rcx = EFER, .rsi = SVME},
    {"efer_lme", flip, .rcx = EFER, .rsi = 1 << 8},
    {"efer_lma", flip, .rcx = EFER, .rsi = 1 << 10},
    {"efer_reserved", flip, .rcx = EFER, .rsi = 1 << 1},
    {"efer_high", write_msr, .rcx = EFER, .rax = 0x500, .rdx = 1},
    {"efer_step", step_write, .rcx = EFER, .rax = 0x500, .steps = true},
    {"star", write_read, .rcx = STAR, .rax = 0x12345678, .rdx = 0x9ABCDEF0},
    {"lstar", write_read, .rcx = LSTAR, .rax = 0x12345678, .rdx = 0x7FFF},
    {"lstar_noncanonical", write_msr, .rcx = LSTAR, .rdx = NONCANONIC},
    {"gs_base", write_read, .rcx = GS_BASE, .rax = 0x1000},
    {"gs_base_noncanonical", write_msr, .rcx = GS_BASE, .rdx = NONCANONIC},
    {"tsc_aux", write_read, .rcx = TSC_AUX, .rax = 7},
    {"sysenter_cs", write_read, .rcx = SYSENTER_CS, .rax = 0x10},
    {"sysenter_esp", write_read, .rcx = SYSENTER_ESP, .rax = 0x1234},
    {"sysenter_esp_noncanonical", write_msr, .rcx = SYSENTER_ESP, .rdx = NONCANONIC},
    {"pat", write_same, .rcx = PAT},
    {"pat_bad", write_msr, .rcx = PAT, .rax = 2},
    {"debugctl", write_read, .rcx = DEBUGCTL, .rax = 2},
    {"debugctl_off", write_read, .rcx = DEBUGCTL},
    {"debugctl_bad", write_msr, .rcx = DEBUGCTL, .rdx = 1},

    {"tsc", set_clock, .rcx = TSC},
    {"tsc_deadline", deadline, .rcx = TSC_DEADLINE},
    {"tsc_adjust", write_read, .rcx = TSC_ADJUST, .rax = 0x100},
    {"apic_base", write_same, .rcx = APIC_BASE},
    {"apic_base_off", flip, .rcx = APIC_BASE, .rsi = 1 << 11},
    {"apic_base_x2apic", flip, .rcx = APIC_BASE, .rsi = 1 << 10},
    {"apic_base_elsewhere", flip, .rcx = APIC_BASE, .rsi = 1 << 20},
    {"x2apic_id", read_msr, .rcx = X2APIC_ID},
    {"microcode", write_msr, .rcx = BIOS_UPDATE, .rax = 0x1000},

    {"feature_control", read_msr, .rcx = FEATURE_CONTROL},
    {"feature_control_write", write_msr, .rcx = FEATURE_CONTROL, .rax = 5},
    {"vmx_basic", read_msr, .rcx = VMX_BASIC},
    {"vmx_ept", read_msr, .rcx = VMX_EPT},
    {"trace_control", read_msr, .rcx = TRACE_CONTROL},
    {"trace_control_write", write_msr, .rcx = TRACE_CONTROL, .rax = 1},
    {"trace_output_write", write_msr, .rcx = TRACE_OUTPUT, .rax = HIDDEN},
    {"trace_last_write", write_msr, .rcx = 0x58F},
    {"pebs", read_msr, .rcx = PEBS_ENABLE},
    {"pebs_write", write_msr, .rcx = PEBS_ENABLE, .rax = 1},
    {"pebs_base_write", write_msr, .rcx = PEBS_BASE, .rax = HIDDEN},
    {"ds_area_write", write_msr, .rcx = DS_AREA, .rax = HIDDEN},
    {"lbr_write", write_msr, .rcx = LBR_CONTROL, .rax = 1},
    {"amd_lbr_write", write_msr, .rcx = AMD_DEBUG, .rax = 1 << 6},
    {"feedback_write", write_msr, .rcx = FEEDBACK, .rax = HIDDEN + 1},
    {"xss_trace", write_msr, .rcx = XSS, .rax = 1 << 8},
    {"xss_lbr", write_msr, .rcx = XSS, .rax = 1 << 15},
    /* BTS and PEBS unavailable */
    {"misc_enable", read_masked, .rcx = MISC_ENABLE, .rsi = 1 << 11 | 1 << 12},
    {"misc_enable_write", write_same, .rcx = MISC_ENABLE},
    /* XD off: ignored */
    {"misc_enable_xd", misc_xd, .rcx = MISC_ENABLE},

    {"vm_cr", read_msr, .rcx = VM_CR},
    {"vm_cr_write", write_msr, .rcx = VM_CR},
    {"hsave_pa", read_msr, .rcx = HSAVE_PA},
    {"hsave_pa_write", write_msr, .rcx = HSAVE_PA, .rax = 0x1000},
    {"syscfg_write", write_same, .rcx = SYSCFG},
    {"mmio_cfg_write", write_msr, .rcx = MMIO_CFG, .rax = HIDDEN + 1},
    {"kvm_clock", write_msr, .rcx = KVM_CLOCK, .rax = HIDDEN + 1},
    {"kvm_clock_old", write_msr, .rcx = 0x12, .rax = HIDDEN + 1},
    {"nobodys_low", read_msr, .rcx = 0x1FFF},
    {"nobodys_between", read_msr, .rcx = 0x2000},
    {"nobodys_between_write", write_msr, .rcx = 0x12345678},
    {"nobodys_high", read_msr, .rcx = 0xC0002000},
    {"nobodys_last", read_msr, .rcx = 0xFFFFFFFF},
};
const struct tests msr_tests = {list, COUNT(list)};
