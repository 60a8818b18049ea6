/* The fields of the VMCS (SDM vol. 3, appendix B) and the numbers that go into them (chapters 25 to 29,
 * appendices A and C), as far as they are used. */
#ifndef CORE_VMX_VMCS_H
#define CORE_VMX_VMCS_H

#include <stdint.h>

enum vmcs_field {
    VPID = 0x0000,
    GUEST_ES_SELECTOR = 0x0800, /* ES, CS, SS, DS, FS, GS, LDTR, TR: two apart, as limits, rights and bases */
    GUEST_CS_SELECTOR = 0x0802,
    GUEST_LDTR_SELECTOR = 0x080C,
    GUEST_TR_SELECTOR = 0x080E,
    HOST_ES_SELECTOR = 0x0C00,
    HOST_CS_SELECTOR = 0x0C02,
    HOST_SS_SELECTOR = 0x0C04,
    HOST_DS_SELECTOR = 0x0C06,
    HOST_FS_SELECTOR = 0x0C08,
    HOST_GS_SELECTOR = 0x0C0A,
    HOST_TR_SELECTOR = 0x0C0C,
    IO_BITMAP_A = 0x2000,
    IO_BITMAP_B = 0x2002,
    MSR_BITMAP = 0x2004,
    TSC_OFFSET = 0x2010,
    EPT_POINTER = 0x201A,
    XSS_EXITING = 0x202C,
    GUEST_PHYSICAL = 0x2400,
    VMCS_LINK = 0x2800,
    GUEST_DEBUGCTL = 0x2802,
    GUEST_PAT = 0x2804,
    GUEST_EFER = 0x2806,
    GUEST_PDPTE0 = 0x280A, /* two apart */
    HOST_PAT = 0x2C00,
    HOST_EFER = 0x2C02,
    PIN_CONTROLS = 0x4000,
    PRIMARY_CONTROLS = 0x4002,
    EXCEPTION_BITMAP = 0x4004,
    PAGE_FAULT_MASK = 0x4006, /* with its match: which page faults exit, by error code */
    PAGE_FAULT_MATCH = 0x4008,
    CR3_TARGETS = 0x400A,
    EXIT_CONTROLS = 0x400C,
    EXIT_MSR_STORES = 0x400E,
    EXIT_MSR_LOADS = 0x4010,
    ENTRY_CONTROLS = 0x4012,
    ENTRY_MSR_LOADS = 0x4014,
    ENTRY_EVENT = 0x4016,
    ENTRY_ERROR = 0x4018,
    SECONDARY_CONTROLS = 0x401E,
    INSTRUCTION_ERROR = 0x4400,
    EXIT_REASON = 0x4402,
    EXIT_EVENT = 0x4404,
    EXIT_ERROR = 0x4406,
    VECTORING_EVENT = 0x4408,
    VECTORING_ERROR = 0x440A,
    INSTRUCTION_LENGTH = 0x440C,
    GUEST_ES_LIMIT = 0x4800,
    GUEST_LDTR_LIMIT = 0x480C,
    GUEST_TR_LIMIT = 0x480E,
    GUEST_GDTR_LIMIT = 0x4810,
    GUEST_IDTR_LIMIT = 0x4812,
    GUEST_ES_RIGHTS = 0x4814,
    GUEST_CS_RIGHTS = 0x4816,
    GUEST_SS_RIGHTS = 0x4818,
    INTERRUPTIBILITY = 0x4824,
    ACTIVITY = 0x4826,
    GUEST_SYSENTER_CS = 0x482A,
    PREEMPTION_TIMER = 0x482E,
    HOST_SYSENTER_CS = 0x4C00,
    CR0_MASK = 0x6000,
    CR4_MASK = 0x6002,
    CR0_SHADOW = 0x6004,
    CR4_SHADOW = 0x6006,
    QUALIFICATION = 0x6400,
    GUEST_CR0 = 0x6800,
    GUEST_CR3 = 0x6802,
    GUEST_CR4 = 0x6804,
    GUEST_ES_BASE = 0x6806,
    GUEST_GDTR_BASE = 0x6816,
    GUEST_IDTR_BASE = 0x6818,
    GUEST_DR7 = 0x681A,
    GUEST_RSP = 0x681C,
    GUEST_RIP = 0x681E,
    GUEST_RFLAGS = 0x6820,
    PENDING_DEBUG = 0x6822,
    GUEST_SYSENTER_ESP = 0x6824,
    GUEST_SYSENTER_EIP = 0x6826,
    HOST_CR0 = 0x6C00,
    HOST_CR3 = 0x6C02,
    HOST_CR4 = 0x6C04,
    HOST_FS_BASE = 0x6C06,
    HOST_GS_BASE = 0x6C08,
    HOST_TR_BASE = 0x6C0A,
    HOST_GDTR_BASE = 0x6C0C,
    HOST_IDTR_BASE = 0x6C0E,
    HOST_SYSENTER_ESP = 0x6C10,
    HOST_SYSENTER_EIP = 0x6C12,
    HOST_RIP = 0x6C16, /* HOST_RSP, 0x6C14, is written by enter.asm */
};

enum pin_control { PIN_NMI_EXITING = 1 << 3, PIN_VIRTUAL_NMIS = 1 << 5, PIN_TIMER = 1 << 6 };
enum primary_control {
    PRIMARY_INTERRUPT_WINDOW = 1 << 2,
    PRIMARY_TSC_OFFSETTING = 1 << 3,
    PRIMARY_HLT_EXITING = 1 << 7,
    PRIMARY_NMI_WINDOW = 1 << 22,
    PRIMARY_IO_BITMAPS = 1 << 25,
    PRIMARY_MSR_BITMAPS = 1 << 28,
};
#define PRIMARY_SECONDARY (1u << 31)
enum secondary_control {
    SECONDARY_EPT = 1 << 1,
    SECONDARY_RDTSCP = 1 << 3,
    SECONDARY_VPID = 1 << 5,
    SECONDARY_UNRESTRICTED = 1 << 7,
    SECONDARY_INVPCID = 1 << 12,
    SECONDARY_XSAVES = 1 << 20,
    SECONDARY_USER_WAIT = 1 << 26,
};
enum exit_control {
    EXIT_SAVE_DEBUG = 1 << 2,
    EXIT_HOST_64 = 1 << 9,
    EXIT_SAVE_PAT = 1 << 18,
    EXIT_LOAD_PAT = 1 << 19,
    EXIT_SAVE_EFER = 1 << 20,
    EXIT_LOAD_EFER = 1 << 21,
};
enum entry_control {
    ENTRY_LOAD_DEBUG = 1 << 2,
    ENTRY_GUEST_64 = 1 << 9,
    ENTRY_LOAD_PAT = 1 << 14,
    ENTRY_LOAD_EFER = 1 << 15,
};

/* IA32_VMX_EPT_VPID_CAP, A.10. */
enum ept_capability {
    EPT_CAP_WALK_4 = 1 << 6,
    EPT_CAP_WB = 1 << 14,
    EPT_CAP_2M = 1 << 16,
    EPT_CAP_1G = 1 << 17
};
#define EPT_CAP_INVEPT      (1ull << 20)
#define EPT_CAP_INVEPT_ALL  (1ull << 26)
#define EPT_CAP_INVVPID     (1ull << 32)
#define EPT_CAP_INVVPID_ALL (1ull << 42)

/* An EPT entry's rights are those of enum access (29.3.2). */
enum ept { EPT_RIGHTS = 7, EPT_TYPE_SHIFT = 3, EPT_LARGE = 1 << 7, EPTP_WB = 6, EPTP_WALK_4 = 3 << 3 };
enum { INVALIDATE_ALL = 2 }; /* of INVEPT and INVVPID: all contexts */

/* Event fields, 25.8.3, 25.9.2, 25.9.3. Bit 12 of the exit's: IRET had ended NMI blocking. */
enum vmx_event { VMX_EVENT_TYPE_SHIFT = 8, VMX_EVENT_ERROR_VALID = 1 << 11, VMX_EVENT_UNBLOCKED = 1 << 12 };
#define VMX_EVENT_VALID (1u << 31)
enum vmx_event_type { VMX_INTERRUPT = 0, VMX_NMI = 2, VMX_EXCEPTION = 3, VMX_ICEBP = 5 };
enum interruptibility { BLOCKED_STI = 1, BLOCKED_MOV_SS = 2, BLOCKED_NMI = 8 };

enum vmx_reason {
    VMX_EXIT_EXCEPTION = 0, /* or NMI */
    VMX_EXIT_TRIPLE_FAULT = 2,
    VMX_EXIT_INIT = 3,
    VMX_EXIT_SIPI = 4,
    VMX_EXIT_INTERRUPT_WINDOW = 7,
    VMX_EXIT_NMI_WINDOW = 8,
    VMX_EXIT_TASK_SWITCH = 9,
    VMX_EXIT_CPUID = 10,
    VMX_EXIT_GETSEC = 11,
    VMX_EXIT_HLT = 12,
    VMX_EXIT_INVD = 13,
    VMX_EXIT_VMCALL = 18,
    VMX_EXIT_VMCLEAR = 19,
    VMX_EXIT_VMXON = 27,
    VMX_EXIT_CR = 28,
    VMX_EXIT_IO = 30,
    VMX_EXIT_RDMSR = 31,
    VMX_EXIT_WRMSR = 32,
    VMX_EXIT_EPT_VIOLATION = 48,
    VMX_EXIT_EPT_MISCONFIGURATION = 49,
    VMX_EXIT_INVEPT = 50,
    VMX_EXIT_TIMER = 52,
    VMX_EXIT_INVVPID = 53,
    VMX_EXIT_XSETBV = 55,
    VMX_EXIT_VMFUNC = 59,
};
#define VMX_REASON_ENTRY_FAILED (1u << 31)

enum vmx_io {
    VMX_IO_SIZE = 7, /* bytes - 1 */
    VMX_IO_IN = 1 << 3,
    VMX_IO_STRING = 1 << 4,
    VMX_IO_PORT_SHIFT = 16
};
enum vmx_ept_violation {
    VMX_EPT_READ = 1 << 0,
    VMX_EPT_WRITE = 1 << 1,
    VMX_EPT_FETCH = 1 << 2,
    VMX_EPT_LINEAR = 1 << 7, /* a linear address is known */
    VMX_EPT_FINAL = 1 << 8,  /* the translated address; else a table on the way */
    VMX_EPT_UNBLOCKED = 1 << 12
};
/* Access rights (25.4.1): bits 8 to 11 of struct segment's attributes stand four higher. */
enum vmx_rights { RIGHTS_LOW = 0xFF, RIGHTS_HIGH = 0xF00, RIGHTS_HIGH_SHIFT = 4, RIGHTS_UNUSABLE = 1 << 16 };

static inline uint64_t vmread(enum vmcs_field field)
{
    uint64_t value;
    __asm__ volatile("vmread %1, %0" : "=r"(value) : "r"((uint64_t)field) : "cc");
    return value;
}
static inline void vmwrite(enum vmcs_field field, uint64_t value)
{
    __asm__ volatile("vmwrite %0, %1" ::"r"(value), "r"((uint64_t)field) : "cc", "memory");
}

#endif
