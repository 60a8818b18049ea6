/*
 * What is said of a failed entry: explain.c of both backends as they ship, on a VMCS and a VMCB that break one
 * rule each. No emulator asks SVM's for more than one: QEMU and Bochs write the host's state over the VMCB.
 */
#include "core/test/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static char said[1024];

static __attribute__((format(printf, 1, 2))) void say(const char *format, ...)
{
    size_t length = strlen(said);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(said + length, sizeof said - length, format, arguments);
    va_end(arguments);
}

/* The instructions that they execute, and the log, as functions here. */
#define read_cr2 real_read_cr2
#define vmread   real_vmread
#include "core/vmx/vmx.h"
#include "core/x86/asm.h"
#include "core/memory.h"
#include "core/svm/svm.h"
#include "log/log.h"
#undef read_cr2
#undef vmread
#undef log_error
#define log_error(...) say(__VA_ARGS__)
static uint64_t read_cr2(void)
{
    return 0;
}
static uint64_t fields[0x8000];
static uint64_t vmread(enum vmcs_field field)
{
    return fields[field];
}
#include "core/svm/explain.c"
#include "core/vmx/explain.c"

char image_start[1], text_end[1]; /* where no guest here is */

static struct vcpu vcpu;

static void says(const char *rule)
{
    if (!CHECK(strstr(said, rule)))
        printf("  \"%s\" wanted, got \"%s\"\n", rule, said);
}

static void vmx_refuses(uint64_t code, const char *rule)
{
    said[0] = 0;
    vmx_explain(&vcpu, &(struct exit){.reason = EXIT_ENTRY_FAILED, .code = code});
    says(rule);
}

/* A 64-bit guest as a VMCS has it, with one field changed. */
static void vmx_breaks(enum vmcs_field field, uint64_t value, const char *rule)
{
    enum { REASON_GUEST_STATE = 33 };
    fields[GUEST_CR0] = CR0_PE | CR0_NE | CR0_PG;
    fields[GUEST_EFER] = EFER_LME | EFER_LMA;
    fields[ENTRY_CONTROLS] = ENTRY_GUEST_64;
    fields[GUEST_RFLAGS] = RFLAGS_FIXED;
    fields[INTERRUPTIBILITY] = fields[ENTRY_EVENT] = 0;
    fields[field] = value;
    vmx_refuses(VMX_REASON_ENTRY_FAILED | REASON_GUEST_STATE, rule);
}

static void test_vmx(void)
{
    vmx_breaks(ENTRY_CONTROLS, 0, "the entry control for a 64-bit guest differ");
    vmx_breaks(GUEST_EFER, EFER_LMA, "EFER.LMA and EFER.LME differ");
    vmx_breaks(GUEST_CR0, CR0_NE | CR0_PG, "CR0.PG is 1 and CR0.PE is 0");
    vmx_breaks(GUEST_CR0, CR0_PE | CR0_PG, "CR0.NE is 0");
    vmx_breaks(GUEST_RFLAGS, 0, "RFLAGS bit 1 is 0");
    vmx_breaks(INTERRUPTIBILITY, BLOCKED_STI | BLOCKED_MOV_SS, "both STI and MOV SS block");
    vmx_breaks(INTERRUPTIBILITY, BLOCKED_STI, "STI blocks, and RFLAGS.IF is 0");
    vmx_breaks(PENDING_DEBUG, 1, "none of the rules checked here");
    vmx_breaks(INTERRUPTIBILITY, BLOCKED_NMI, "none of the rules checked here");
    fields[ENTRY_EVENT] = VMX_EVENT_VALID | VMX_NMI << VMX_EVENT_TYPE_SHIFT | VEC_NMI;
    vmx_refuses(VMX_REASON_ENTRY_FAILED, "an NMI is injected while it is blocked");
    vmx_refuses(7, "error 7: a control field is not allowed");
    vmx_refuses(8, "error 8: a field of the host's state");
    vmx_refuses(26, "error 26: entry while MOV SS blocks");
    vmx_refuses(28, "error 28: see SDM");
}

static struct vmcb vmcb;

static const struct vmcb good = {.efer = EFER_SVME | EFER_LME | EFER_LMA,
                                 .cr0 = CR0_PE | CR0_PG,
                                 .cr4 = CR4_PAE,
                                 .cs.attributes = SEGMENT_LONG,
                                 .intercept_misc2 = INTERCEPT_VMRUN,
                                 .asid = 1};

static void svm_breaks(const char *rule)
{
    said[0] = 0;
    vcpu.hw = &vmcb;
    svm_explain(&vcpu, &(struct exit){.reason = EXIT_ENTRY_FAILED});
    says(rule);
    vmcb = good;
}

static void test_svm(void)
{
    vmcb = good;
    svm_breaks("none of those checked here");
    vmcb.efer &= ~(uint64_t)EFER_SVME, svm_breaks("EFER.SVME is 0");
    vmcb.cr0 |= CR0_NW, svm_breaks("CR0.CD is 0 and CR0.NW is 1");
    vmcb.cr0 |= CR0_NW | CR0_CD, svm_breaks("none of those checked here");
    vmcb.cr0 |= 1ull << 32, svm_breaks("CR0 bits 63:32");
    vmcb.dr6 = 1ull << 32, svm_breaks("DR6 or DR7 bits 63:32");
    vmcb.dr7 = 1ull << 63, svm_breaks("DR6 or DR7 bits 63:32");
    vmcb.cr4 = 0, svm_breaks("CR4.PAE is 0");
    vmcb.cr0 = CR0_PG, svm_breaks("CR0.PE is 0");
    vmcb.cs.attributes |= SEGMENT_BIG, svm_breaks("both L and D");
    vmcb.intercept_misc2 = 0, svm_breaks("VMRUN is not intercepted");
    vmcb.asid = 0, svm_breaks("ASID is 0");
}

void test_explain(void)
{
    test_vmx();
    test_svm();
}
