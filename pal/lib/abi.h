/*
 * TrustVisor's ABI: call numbers, structures, the CPUID leaf and the call instruction.
 *
 * Everything here is inline and touches registers only, so a PAL may use it as well as the program around it.
 * All structures have one layout for 32- and 64-bit callers, little endian and packed.
 */
#ifndef PAL_LIB_ABI_H
#define PAL_LIB_ABI_H

#include <stdint.h>

enum tv_call_number {
    TV_CALL_REG = 1,    /* ecx = sections, esi = parameters, edi = entry; 0 = registered */
    TV_CALL_UNREG = 2,  /* ecx = entry; 0 = unregistered */
    TV_CALL_TEST = 255, /* ecx = any number, logged; always 0 */
    BRAID_CALL_QUIESCE =
        0x42520001, /* ecx = how many; number completed, or 1 without the boot option test=on */
    BRAID_CALL_COUNTER = 0x42520002, /* ecx = enum braid_counter; its value, or 1 without test=on */
    BRAID_CALL_BREAK = 0x42520010,   /* ecx = way (core/selftest.h); 0, or 1 without test=on */
    BRAID_CALL_STALL = 0x42520011,   /* ecx = where (core/stall.h), edx = CPU; 0, or 1 without test=on */
};

enum braid_counter { BRAID_QUIESCES, BRAID_EXITS, BRAID_NMIS_SENT, BRAID_NMIS_INJECTED };

enum tv_limits { TV_MAX_SECTIONS = 10, TV_MAX_PARAMS = 10, TV_PAGE = 4096 };

enum tv_section_type {
    TV_SECTION_CODE = 1,
    TV_SECTION_DATA = 2,
    TV_SECTION_PARAM = 3,
    TV_SECTION_STACK = 4,
    TV_SECTION_SHARED_CODE = 5,
};

struct tv_section {
    uint32_t type;
    uint32_t page_num;
    uint64_t start_addr; /* a multiple of 4096 */
} __attribute__((packed));

struct tv_sections {
    uint32_t num_sections;
    uint32_t padding;
    struct tv_section sections[TV_MAX_SECTIONS];
} __attribute__((packed));

enum tv_param_type { TV_PARAM_INTEGER = 1, TV_PARAM_POINTER = 2 };

struct tv_param {
    uint32_t type;
    uint32_t padding;
    uint64_t size; /* words of the caller (4 or 8 bytes) behind a POINTER; ignored for an INTEGER */
} __attribute__((packed));

struct tv_params {
    uint32_t num_params;
    uint32_t padding;
    struct tv_param params[TV_MAX_PARAMS];
} __attribute__((packed));

enum tv_cpuid_values {
    TV_CPUID_LEAF = 0x7a567254,   /* "TrVz", with ECX = 0 */
    TV_CPUID_ANSWER = 0x7a767274, /* "trvz" in EAX */
};
#define TV_NOT_IN_PAL 0xffffffffu /* EBX outside a PAL; inside, the PAL's slot */

struct tv_cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct tv_cpuid tv_cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct tv_cpuid r = {leaf, 0, subleaf, 0};
    __asm__ volatile("cpuid" : "+a"(r.eax), "=b"(r.ebx), "+c"(r.ecx), "=d"(r.edx));
    return r;
}

/* Intel's instruction; Braid takes it on AMD too. Number in, result out: RAX. Any privilege, inside or
 * outside a PAL. */
static inline uintptr_t tv_vmcall(uint32_t number, uintptr_t ecx, uintptr_t edx, uintptr_t esi, uintptr_t edi)
{
    uintptr_t rax = number;
    __asm__ volatile("vmcall" : "+a"(rax) : "c"(ecx), "d"(edx), "S"(esi), "D"(edi) : "memory", "cc");
    return rax;
}

/* The same by AMD's instruction. */
static inline uintptr_t tv_vmmcall(uint32_t number, uintptr_t ecx, uintptr_t edx, uintptr_t esi,
                                   uintptr_t edi)
{
    uintptr_t rax = number;
    __asm__ volatile("vmmcall" : "+a"(rax) : "c"(ecx), "d"(edx), "S"(esi), "D"(edi) : "memory", "cc");
    return rax;
}

#endif
