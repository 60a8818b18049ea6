/* CPUID, control registers, instructions that a guest may not have, single steps, NMIs. */
#include "pal/bare/bare.h"
#include "pal/lib/abi.h"

CODE(do_cpuid, "cpuid");
/* Only what the hypervisor decides: the rest tells one CPU model from another. */
CODE(cpuid_masked, "mov %rdx, %r8; cpuid; and %rsi, %rcx; and %rdi, %rbx; and %r8, %rdx; xor %eax, %eax");
CODE(cpuid_masked_rax, "mov %rax, %r8; mov %rdx, %rax; cpuid; and %r8, %rax; xor %ebx, %ebx; xor %ecx, %ecx;"
                       " xor %edx, %edx");
CODE(cpuid_stepped, "pushfq; orl $0x100, (%rsp); popfq; cpuid; nop");
CODE(cpuid_shadow, "mov %ss, %eax; mov %eax, %ss; cpuid; xor %eax, %eax; xor %ebx, %ebx; xor %ecx, %ecx;"
                   " xor %edx, %edx");
CODE(nop_stepped, "pushfq; orl $0x100, (%rsp); popfq; nop; nop");
CODE(vmcall_stepped, "pushfq; orl $0x100, (%rsp); popfq; vmcall; nop");

CODE(set_cr0, "mov %rax, %cr0; mov %cr0, %rax");
CODE(set_cr4, "mov %rax, %cr4; mov %cr4, %rax");
CODE(set_cr8, "mov %rax, %cr8; mov %cr8, %rcx; xor %eax, %eax; mov %rax, %cr8");
CODE(get_cr3, "mov %cr3, %rax; mov %rax, %cr3");
CODE(set_dr7, "mov %rax, %dr7; mov %dr7, %rcx; xor %eax, %eax; mov %rax, %dr7");
CODE(load_status, "lmsw %ax; mov %cr0, %rcx");
CODE(clear_ts, "mov %cr0, %rax; or $8, %rax; mov %rax, %cr0; clts; mov %cr0, %rax");
CODE(set_xcr0, "xsetbv");

CODE(do_vmxon, "vmxon word(%rip)");
CODE(do_vmclear, "vmclear word(%rip)");
CODE(do_vmread, "vmread %rax, %rcx");
CODE(do_vmlaunch, "vmlaunch");
CODE(do_invept, "invept word(%rip), %rcx");
CODE(do_vmrun, "vmrun");
CODE(do_vmload, "vmload");
CODE(do_vmsave, "vmsave");
CODE(do_stgi, "stgi");
CODE(do_clgi, "clgi");
CODE(do_invlpga, "invlpga");
CODE(do_ud2, "ud2");
CODE(do_int3, "int3");
CODE(do_divide, "div %cl");
CODE(do_invd, "invd");
CODE(do_wbinvd, "wbinvd");
CODE(do_hlt, "hlt");
CODE(do_cli, "cli");
CODE(do_invlpg, "invlpg word(%rip)");

/* The local APIC's ICR: an NMI to this CPU. */
#define SEND "mov $0xfee00300, %eax; movl $0x44400, (%rax);"
CODE(nmi_self, SEND " mov (%rax), %eax; xor %eax, %eax");
CODE(nmi_shadow, "mov %ss, %ecx; mov $0xfee00300, %eax; mov %ecx, %ss; movl $0x44400, (%rax); nop; nop");
CODE(nmi_stepped,
     "mov $0xfee00300, %eax; pushfq; orl $0x100, (%rsp); popfq; movl $0x44400, (%rax); nop; nop");

/* #DB by other causes, and #AC. */
CODE(watched_store, "mov %rax, (%rdi); nop");
CODE(detected, "mov %rax, %dr7; mov %dr0, %rcx");
CODE(do_int1, ".byte 0xf1; nop");
CODE(sti_stepped, "pushfq; orl $0x100, (%rsp); popfq; sti; nop");
CODE(mov_ss_stepped, "mov %ss, %ecx; pushfq; orl $0x100, (%rsp); popfq; mov %ecx, %ss; nop; nop");
CODE(load_misaligned, "mov 1(%rsi), %rax");

enum {
    ALIGNMENT = 1 << 18,
    DR7_DETECT = 1 << 13,
    DR7_NONE = 1 << 10,
    DR7_WATCH = DR7_NONE | 1 | 1 << 16 | 2 << 18
};
enum { OSXSAVE = 1 << 18, VMXE = 1 << 13, PCIDE = 1 << 17, PAE = 1 << 5, RESERVED_CR4 = 1 << 15 };
#define CR0_NOW 0x80000031
#define CR0_CD  (1ull << 30)
#define CR0_NW  (1ull << 29)
#define CR0_WP  (1ull << 16)
#define CR0_64  (1ull << 32)

static void xsave_on(void)
{
    __asm__ volatile("mov %%cr4, %%rax; or %0, %%rax; mov %%rax, %%cr4" ::"i"(OSXSAVE) : "rax");
}

static void alignment_on(void)
{
    __asm__ volatile("mov %%cr0, %%rax; or $0x40000, %%rax; mov %%rax, %%cr0" ::: "rax");
}

/* A breakpoint on writes of `word`. */
static void watch(void)
{
    __asm__ volatile("mov %0, %%dr0; mov %1, %%dr7" ::"r"((uint64_t)&word), "r"((uint64_t)DR7_WATCH));
}
static void watch_off(void)
{
    __asm__ volatile("mov %0, %%dr7" ::"r"((uint64_t)DR7_NONE));
}

/* What the case may have left set. */
static void plain_registers(void)
{
    uint64_t cr0 = CR0_NOW, cr4 = PAE;
    __asm__ volatile("mov %0, %%cr0; mov %1, %%cr4" ::"r"(cr0), "r"(cr4));
}

static const struct test list[] = {
    /* ECX: VMX, x2APIC, OSXSAVE */
    {"cpuid_1", cpuid_masked, .rax = 1, .rsi = 1 << 5 | 1 << 21 | 1 << 27},
    {"cpuid_1_user", cpuid_masked, .rax = 1, .rsi = 1 << 5 | 1 << 21 | 1 << 27, .user = true},
    {"cpuid_1_osxsave", cpuid_masked, .rax = 1, .rsi = 1 << 5 | 1 << 21 | 1 << 27, .before = xsave_on,
     .after = plain_registers},
    {"cpuid_7_la57", cpuid_masked, .rax = 7, .rsi = 1 << 16 | 1 << 4},
    /* What records: DTES64, DS-CPL, DS; feedback; processor trace, LBRs; their states; PEBS */
    {"cpuid_1_ds", cpuid_masked, .rax = 1, .rsi = 1 << 2 | 1 << 4, .rdx = 1 << 21},
    {"cpuid_6_feedback", cpuid_masked_rax, .rdx = 6, .rax = 1 << 19 | 1 << 23},
    {"cpuid_7_trace", cpuid_masked, .rax = 7, .rdi = 1 << 25, .rdx = 1 << 19},
    {"cpuid_d_1", cpuid_masked, .rax = 0xD, .rcx = 1, .rsi = 1 << 8 | 1 << 15},
    {"cpuid_d_8", do_cpuid, .rax = 0xD, .rcx = 8},
    {"cpuid_14", do_cpuid, .rax = 0x14},
    {"cpuid_1c", do_cpuid, .rax = 0x1C},
    {"cpuid_23", cpuid_masked_rax, .rdx = 0x23, .rax = 3 << 4},
    {"cpuid_hypervisor", do_cpuid, .rax = 0x40000000},
    {"cpuid_hypervisor_last", do_cpuid, .rax = 0x4FFFFFFF},
    /* ECX: SVM, SKINIT */
    {"cpuid_80000001", cpuid_masked, .rax = 0x80000001, .rsi = 1 << 2 | 1 << 12},
    {"cpuid_8000000a", do_cpuid, .rax = 0x8000000A},
    {"cpuid_8000001f", do_cpuid, .rax = 0x8000001F},
    {"cpuid_trustvisor", do_cpuid, .rax = TV_CPUID_LEAF},
    {"cpuid_trustvisor_user", do_cpuid, .rax = TV_CPUID_LEAF, .user = true},
    {"cpuid_model", do_cpuid, .rax = 0},
    {"cpuid_shadow", cpuid_shadow, .rax = TV_CPUID_LEAF},

    {"step_nop", nop_stepped},
    {"step_cpuid", cpuid_stepped, .rax = TV_CPUID_LEAF, .steps = true},
    {"step_cpuid_user", cpuid_stepped, .rax = TV_CPUID_LEAF, .user = true, .steps = true},
    {"step_sti", sti_stepped},
    {"step_mov_ss", mov_ss_stepped},
    {"watch", watched_store, .rax = 1, .rdi = (uint64_t)&word, .before = watch, .after = watch_off},
    {"watch_user", watched_store, .rax = 1, .rdi = (uint64_t)&word, .user = true, .before = watch,
     .after = watch_off},
    {"general_detect", detected, .rax = DR7_NONE | DR7_DETECT},
    {"int1", do_int1},
    {"int1_user", do_int1, .user = true},
    {"alignment", load_misaligned, .rsi = (uint64_t)&word, .flags = ALIGNMENT, .user = true,
     .before = alignment_on, .after = plain_registers},
    {"step_vmcall", vmcall_stepped, .rax = TV_CALL_TEST, .rcx = 1, .steps = true},

    {"cr0_same", set_cr0, .rax = CR0_NOW},
    {"cr0_wp", set_cr0, .rax = CR0_NOW | CR0_WP, .after = plain_registers},
    {"cr0_cd", set_cr0, .rax = CR0_NOW | CR0_CD, .after = plain_registers},
    {"cr0_nw_without_cd", set_cr0, .rax = CR0_NOW | CR0_NW},
    {"cr0_bit_32", set_cr0, .rax = CR0_NOW | CR0_64},
    {"cr0_pg_off", set_cr0, .rax = 0x31},
    {"cr0_ne_off", set_cr0, .rax = 0x80000011, .after = plain_registers},
    {"cr0_user", set_cr0, .rax = CR0_NOW, .user = true},
    {"lmsw", load_status, .rax = 0x33, .after = plain_registers},
    {"clts", clear_ts},
    {"cr3", get_cr3},
    {"cr4_same", set_cr4, .rax = PAE},
    {"cr4_vmxe", set_cr4, .rax = PAE | VMXE, .after = plain_registers},
    {"cr4_reserved", set_cr4, .rax = PAE | RESERVED_CR4, .after = plain_registers},
    {"cr4_pae_off", set_cr4, .rax = 0},
    {"cr4_pcide", set_cr4, .rax = PAE | PCIDE, .after = plain_registers},
    {"cr8", set_cr8, .rax = 5},
    {"cr8_reserved", set_cr8, .rax = 0x10},
    {"dr7", set_dr7, .rax = 0x400},
    {"dr7_reserved", set_dr7, .rax = 0x100000400},
    {"xsetbv_without_osxsave", set_xcr0, .rax = 3},
    {"xsetbv", set_xcr0, .rax = 3, .before = xsave_on, .after = plain_registers},
    {"xsetbv_x87_off", set_xcr0, .rax = 2, .before = xsave_on, .after = plain_registers},
    {"xsetbv_1", set_xcr0, .rax = 3, .rcx = 1, .before = xsave_on, .after = plain_registers},
    {"xsetbv_user", set_xcr0, .rax = 3, .user = true, .before = xsave_on, .after = plain_registers},

    {"vmxon", do_vmxon},
    {"vmclear", do_vmclear},
    {"vmread", do_vmread},
    {"vmlaunch", do_vmlaunch},
    {"vmlaunch_user", do_vmlaunch, .user = true},
    {"invept", do_invept},
    {"vmrun", do_vmrun},
    {"vmrun_user", do_vmrun, .user = true},
    {"vmload", do_vmload},
    {"vmsave", do_vmsave},
    {"stgi", do_stgi},
    {"clgi", do_clgi},
    {"invlpga", do_invlpga},
    {"ud2", do_ud2},
    {"int3", do_int3},
    {"divide", do_divide},
    {"invd", do_invd},
    {"invd_user", do_invd, .user = true},
    {"wbinvd", do_wbinvd},
    {"invlpg", do_invlpg},
    {"hlt_user", do_hlt, .user = true},
    {"cli_user", do_cli, .user = true},

    {"nmi_self", nmi_self},
    {"nmi_in_handler", nmi_self, .nmis = 2},
    {"nmi_shadow", nmi_shadow},
    {"nmi_stepped", nmi_stepped, .steps = true},
};
const struct tests cpu_tests = {list, COUNT(list)};
