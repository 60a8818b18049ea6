/*
 * What TrustVisor and its callers agree on: numbers, registers and structures in guest memory.
 *
 * A hypercall is VMCALL or VMMCALL at any CPL: EAX the number, ECX, EDX, ESI, EDI arguments, RAX the result
 * (0 is success). A caller is 64-bit when CS.L is set, else 32-bit; the structures are the same for both,
 * little endian.
 */
#ifndef TV_ABI_H
#define TV_ABI_H

#include <stdint.h>

enum tv_call {
    TV_REG = 1,   /* RCX sections, RSI parameters, RDI entry: all addresses */
    TV_UNREG = 2, /* RCX entry */
    TV_OFFERED_LAST = TV_UNREG,
    TV_RESERVED_LAST = 23, /* 3 .. 23: uTPM, SHARE and NV; not offered */
    TV_TEST = 255,         /* RCX any value, logged */
};
enum tv_result { TV_OK = 0, TV_FAILED = 1 };

/* CPUID with this leaf and subleaf 0 tells that TrustVisor is there, in a PAL or not. */
enum tv_cpuid {
    TV_CPUID_LEAF = 0x7a567254,
    TV_CPUID_PRESENT = 0x7a767274, /* EAX */
    TV_CPUID_64BIT = 1 << 0,       /* ECX */
};
#define TV_CPUID_NO_PAL 0xffffffffu /* EBX outside of a PAL; inside it, the PAL's slot */

enum { TV_MAX_SECTIONS = 10, TV_MAX_PARAMS = 10 };

enum tv_section_type {
    TV_CODE = 1,        /* PAL: RX, guest: nothing; the caller must be able to write it at REG */
    TV_DATA = 2,        /* PAL: RW, guest: nothing */
    TV_PARAM = 3,       /* as DATA; the first one takes the parameters */
    TV_STACK = 4,       /* as DATA; the first one is the PAL's stack */
    TV_SHARED_CODE = 5, /* PAL: RX, guest: RX */
};

enum tv_param_type { TV_INTEGER = 1, TV_POINTER = 2 };

/* REG's two arrays: u32 count, u32 padding, then `count` elements. Nothing behind them is read. */
enum { TV_COUNT_OFFSET = 0, TV_ELEMENTS_OFFSET = 8 };

struct tv_section {
    uint32_t type;
    uint32_t pages;
    uint64_t start; /* guest virtual, page aligned */
};
struct tv_param {
    uint32_t type;
    uint32_t padding;
    uint64_t words; /* POINTER: size of the buffer in the caller's machine words (4 or 8 bytes) */
};
_Static_assert(sizeof(struct tv_section) == 16 && sizeof(struct tv_param) == 16, "the ABI's layout");

/*
 * The parameter area, TV_AREA_OFFSET bytes into the first PARAM section: u64 count, then for each parameter,
 * the last one first, a tv_area_entry and, for a POINTER, `size` bytes of data: the copy that the PAL gets a
 * pointer to.
 */
enum { TV_AREA_OFFSET = 0x10 };
struct tv_area_entry {
    uint64_t type;
    uint64_t size;  /* bytes, as declared; for an INTEGER too */
    uint64_t value; /* the caller's argument: for a POINTER, the address of its own buffer */
};

/* A PAL starts with its stack pointer this far below the end of its STACK section, and returns to
 * TV_SENTINEL. */
enum { TV_STACK_GAP = 0x10, TV_SENTINEL = 4 };

#endif
