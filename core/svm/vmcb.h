/* The virtual machine control block (APM vol. 2, appendix B) and the numbers that go into it (15.9 to 15.25,
 * appendix C). */
#ifndef CORE_SVM_VMCB_H
#define CORE_SVM_VMCB_H

#include <stddef.h>
#include <stdint.h>

struct vmcb_segment {
    uint16_t selector, attributes;
    uint32_t limit;
    uint64_t base;
};

struct vmcb {
    /* Control area. */
    uint32_t intercept_cr, intercept_dr, intercept_exceptions;
    uint32_t intercept_misc1, intercept_misc2;
    uint8_t reserved1[0x3C - 0x14];
    uint16_t pause_threshold, pause_count;
    uint64_t iopm, msrpm, tsc_offset;
    uint32_t asid;
    uint8_t tlb_control, reserved2[3];
    uint64_t virtual_interrupt, interrupt_shadow;
    uint64_t exit_code, exit_info1, exit_info2, exit_interrupt_info;
    uint64_t nested_enable;
    uint8_t reserved3[0xA8 - 0x98];
    uint64_t event_injection, nested_cr3, lbr_enable;
    uint64_t clean_bits, next_rip;
    uint8_t reserved4[0x400 - 0xD0];
    /* State save area. */
    struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    uint8_t reserved5[0x4CB - 0x4A0];
    uint8_t cpl;
    uint32_t reserved6;
    uint64_t efer;
    uint8_t reserved7[0x548 - 0x4D8];
    uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
    uint8_t reserved8[0x5D8 - 0x580];
    uint64_t rsp;
    uint8_t reserved9[0x5F8 - 0x5E0];
    uint64_t rax, star, lstar, cstar, sfmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip, cr2;
    uint8_t reserved10[0x668 - 0x648];
    uint64_t pat, debugctl;
    uint8_t reserved11[0x1000 - 0x678];
} __attribute__((packed, aligned(4096)));
_Static_assert(offsetof(struct vmcb, iopm) == 0x40, "B.1");
_Static_assert(offsetof(struct vmcb, exit_code) == 0x70, "B.1");
_Static_assert(offsetof(struct vmcb, event_injection) == 0xA8, "B.1");
_Static_assert(offsetof(struct vmcb, next_rip) == 0xC8, "B.1");
_Static_assert(offsetof(struct vmcb, cpl) == 0x4CB, "B.2");
_Static_assert(offsetof(struct vmcb, cr4) == 0x548, "B.2");
_Static_assert(offsetof(struct vmcb, rax) == 0x5F8, "B.2");
_Static_assert(offsetof(struct vmcb, pat) == 0x668, "B.2");
_Static_assert(sizeof(struct vmcb) == 4096, "one page");

enum intercept_misc1 {
    INTERCEPT_INTR = 1 << 0,
    INTERCEPT_NMI = 1 << 1,
    INTERCEPT_INIT = 1 << 3,
    INTERCEPT_CPUID = 1 << 18,
    INTERCEPT_IRET = 1 << 20,
    INTERCEPT_INVD = 1 << 22,
    INTERCEPT_HLT = 1 << 24,
    INTERCEPT_INVLPGA = 1 << 26,
    INTERCEPT_IO = 1 << 27,
    INTERCEPT_MSR = 1 << 28,
};
#define INTERCEPT_SHUTDOWN (1u << 31)
enum intercept_misc2 {
    INTERCEPT_VMRUN = 1 << 0,
    INTERCEPT_VMMCALL = 1 << 1,
    INTERCEPT_VMLOAD = 1 << 2,
    INTERCEPT_VMSAVE = 1 << 3,
    INTERCEPT_STGI = 1 << 4,
    INTERCEPT_CLGI = 1 << 5,
    INTERCEPT_SKINIT = 1 << 6,
    INTERCEPT_ICEBP = 1 << 8,
};

enum svm_exit {
    SVM_EXCEPTION = 0x40,
    SVM_EXCEPTION_LAST = 0x5F,
    SVM_INTR = 0x60,
    SVM_NMI = 0x61,
    SVM_INIT = 0x63,
    SVM_CPUID = 0x72,
    SVM_IRET = 0x74,
    SVM_INVD = 0x76,
    SVM_HLT = 0x78,
    SVM_INVLPGA = 0x7A,
    SVM_IO = 0x7B,
    SVM_MSR = 0x7C,
    SVM_SHUTDOWN = 0x7F,
    SVM_VMRUN = 0x80,
    SVM_VMMCALL = 0x81,
    SVM_VMLOAD = 0x82,
    SVM_SKINIT = 0x86,
    SVM_ICEBP = 0x88,
    SVM_NPF = 0x400,
};
/* VMEXIT_INVALID is -1; QEMU 7.2 stores 32 bits of it. */
#define SVM_INVALID 0xFFFFFFFFu

enum svm_io { SVM_IO_IN = 1 << 0, SVM_IO_STRING = 1 << 2, SVM_IO_SIZE_SHIFT = 4, SVM_IO_PORT_SHIFT = 16 };
enum svm_npf { SVM_NPF_WRITE = 1 << 1, SVM_NPF_FETCH = 1 << 4 };
#define SVM_NPF_TABLE_WALK (1ull << 33)

/* EVENTINJ and EXITINTINFO, 15.20. */
enum svm_event { SVM_EVENT_TYPE_SHIFT = 8, SVM_EVENT_ERROR_VALID = 1 << 11 };
#define SVM_EVENT_VALID (1ull << 31)
enum svm_event_type { SVM_EVENT_INTR = 0, SVM_EVENT_NMI = 2, SVM_EVENT_EXCEPTION = 3 };

enum { SVM_TLB_FLUSH_ALL = 1, SVM_SHADOW = 1, SVM_NESTED_ENABLE = 1 };

#endif
