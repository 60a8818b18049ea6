/* The instructions that C has no words for, and the architecture's numbers that more than one file needs. */
#ifndef CORE_X86_ASM_H
#define CORE_X86_ASM_H

#include <stdbool.h>
#include <stdint.h>

/* Model-specific registers (SDM vol. 4, APM vol. 2 appendix A). */
enum msr {
    MSR_TSC = 0x10,
    MSR_KVM_WALL_CLOCK = 0x11, /* KVM's old numbers */
    MSR_KVM_SYSTEM_TIME = 0x12,
    MSR_APIC_BASE = 0x1B,
    MSR_FEATURE_CONTROL = 0x3A,
    MSR_TSC_ADJUST = 0x3B,
    MSR_BIOS_UPDATE = 0x79,
    MSR_MISC_ENABLE = 0x1A0,
    MSR_DEBUGCTL = 0x1D9,
    MSR_PAT = 0x277,
    MSR_PEBS_ENABLE = 0x3F1, /* PEBS_DATA_CFG, 0x3F2; IA32_PEBS_BASE, 0x3F4 */
    MSR_PEBS_INDEX = 0x3F5,
    MSR_VMX_BASIC = 0x480,
    MSR_VMX_MISC = 0x485,
    MSR_VMX_CR0_FIXED0,
    MSR_VMX_CR0_FIXED1,
    MSR_VMX_CR4_FIXED0,
    MSR_VMX_CR4_FIXED1,
    MSR_VMX_SECONDARY = 0x48B,
    MSR_VMX_EPT_VPID_CAP,
    MSR_VMX_TRUE_PIN,
    MSR_VMX_TRUE_PRIMARY,
    MSR_VMX_TRUE_EXIT,
    MSR_VMX_TRUE_ENTRY,
    MSR_VMX_LAST = 0x493,
    MSR_RTIT_FIRST = 0x560,
    MSR_RTIT_LAST = 0x58F,
    MSR_DS_AREA = 0x600,
    MSR_TSC_DEADLINE = 0x6E0,
    MSR_XSS = 0xDA0,
    MSR_LBR_CTL = 0x14CE,
    MSR_LBR_DEPTH,
    MSR_HW_FEEDBACK_PTR = 0x17D0,
    MSR_HW_FEEDBACK_CONFIG,
    MSR_EFER = 0xC0000080,
    MSR_GS_BASE = 0xC0000101,
    MSR_DEBUG_EXTENSION = 0xC000010F,
    MSR_SYSCFG = 0xC0010010,
    MSR_IORR_BASE0 = 0xC0010016,
    MSR_IORR_MASK0,
    MSR_IORR_BASE1,
    MSR_IORR_MASK1,
    MSR_TOP_MEM = 0xC001001A,
    MSR_TOP_MEM2 = 0xC001001D,
    MSR_PATCH_LOADER = 0xC0010020,
    MSR_MMIO_CFG_BASE = 0xC0010058,
    MSR_SMM_BASE = 0xC0010111,
    MSR_SMM_ADDR,
    MSR_SMM_MASK,
    MSR_VM_CR = 0xC0010114,
    MSR_VM_HSAVE_PA = 0xC0010117,
    MSR_SVM_KEY,
};

enum cr0 {
    CR0_PE = 1 << 0,
    CR0_MP = 1 << 1,
    CR0_EM = 1 << 2,
    CR0_TS = 1 << 3,
    CR0_ET = 1 << 4,
    CR0_NE = 1 << 5,
    CR0_WP = 1 << 16,
    CR0_AM = 1 << 18
};
#define CR0_NW (1u << 29)
#define CR0_CD (1u << 30)
#define CR0_PG (1u << 31)
enum cr4 {
    CR4_PSE = 1 << 4,
    CR4_PAE = 1 << 5,
    CR4_PGE = 1 << 7,
    CR4_OSFXSR = 1 << 9,
    CR4_LA57 = 1 << 12,
    CR4_VMXE = 1 << 13,
    CR4_PCIDE = 1 << 17,
    CR4_OSXSAVE = 1 << 18,
    CR4_PKE = 1 << 22,
    CR4_CET = 1 << 23
};
enum efer {
    EFER_SCE = 1 << 0,
    EFER_LME = 1 << 8,
    EFER_LMA = 1 << 10,
    EFER_NXE = 1 << 11,
    EFER_SVME = 1 << 12,
    EFER_LMSLE = 1 << 13,
    EFER_FFXSR = 1 << 14,
    EFER_TCE = 1 << 15,
    EFER_UAIE = 1 << 20,
    EFER_AIBRSE = 1 << 21
};
enum rflags {
    RFLAGS_FIXED = 1 << 1,
    RFLAGS_TF = 1 << 8,
    RFLAGS_IF = 1 << 9,
    RFLAGS_IOPL = 3 << 12,
    RFLAGS_RF = 1 << 16,
    RFLAGS_VM = 1 << 17
};

/* Exceptions (SDM vol. 3, 6.15). */
enum vector {
    VEC_DE = 0,
    VEC_DB = 1,
    VEC_NMI = 2,
    VEC_BP = 3,
    VEC_UD = 6,
    VEC_NM = 7,
    VEC_DF = 8,
    VEC_TS = 10,
    VEC_NP = 11,
    VEC_SS = 12,
    VEC_GP = 13,
    VEC_PF = 14,
    VEC_AC = 17,
    VEC_MC = 18,
    VEC_CP = 21,
    VEC_VC = 29,
    VEC_SX = 30
};
/* Exceptions whose delivery can raise them again, for ever and without an instruction in between at which the
 * CPU would take an NMI: by a frame that lies misaligned (at CPL 3) or on a breakpoint. They always exit. */
#define VECTORS_ENDLESS (1u << VEC_DB | 1u << VEC_AC)
/* Vectors that push an error code. */
#define VECTORS_WITH_ERROR                                                                                   \
    (1u << VEC_DF | 1u << VEC_TS | 1u << VEC_NP | 1u << VEC_SS | 1u << VEC_GP | 1u << VEC_PF |               \
     1u << VEC_AC | 1u << VEC_CP | 1u << VEC_VC | 1u << VEC_SX)

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r;
    __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
    return r;
}

static inline uint64_t rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

#define DEFINE_REGISTER(name)                                                                                \
    static inline uint64_t read_##name(void)                                                                 \
    {                                                                                                        \
        uint64_t v;                                                                                          \
        __asm__ volatile("mov %%" #name ", %0" : "=r"(v));                                                   \
        return v;                                                                                            \
    }                                                                                                        \
    static inline void write_##name(uint64_t v)                                                              \
    {                                                                                                        \
        __asm__ volatile("mov %0, %%" #name ::"r"(v) : "memory");                                            \
    }
DEFINE_REGISTER(cr0)
DEFINE_REGISTER(cr2)
DEFINE_REGISTER(cr3)
DEFINE_REGISTER(cr4)
DEFINE_REGISTER(dr6)
#undef DEFINE_REGISTER

static inline uint8_t inb(uint16_t port)
{
    uint8_t v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
static inline void outb(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port));
}
static inline uint16_t inw(uint16_t port)
{
    uint16_t v;
    __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
static inline void outw(uint16_t port, uint16_t v)
{
    __asm__ volatile("outw %0, %1" ::"a"(v), "Nd"(port));
}
static inline uint32_t inl(uint16_t port)
{
    uint32_t v;
    __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
static inline void outl(uint16_t port, uint32_t v)
{
    __asm__ volatile("outl %0, %1" ::"a"(v), "Nd"(port));
}

/* Runs the host's NMI handler, whose IRET ends the blocking of NMIs. */
static inline void int_nmi(void)
{
    __asm__ volatile("int $2" ::: "memory");
}

static inline void cpu_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}

#endif
