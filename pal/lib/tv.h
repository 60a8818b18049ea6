/*
 * Build, register, call and unregister a PAL: a piece of code that runs where nothing else on the machine can
 * look.
 *
 * A PAL's functions are marked TV_PAL_CODE(name); the linker gathers them into a section of their own, and
 * tv_pal_create() copies that section to pages it can lend to TrustVisor. See README.md for what such code
 * may not do. A program with one PAL:
 *
 *     TV_PAL_CODE(adder) static uintptr_t add(uintptr_t a, uintptr_t *b) { return a + (*b)++; }
 *     TV_PAL_IMAGE(adder);
 *     ...
 *     struct tv_pal pal;
 *     tv_pal_create(&pal, TV_PAL(adder, add), (struct tv_pages){.data = 1, .stack = 1, .param = 1});
 *     tv_pal_param(&pal, TV_PARAM_INTEGER, 0);
 *     tv_pal_param(&pal, TV_PARAM_POINTER, 1);
 *     tv_pal_register(&pal);
 *     sum = TV_PAL_CALL(&pal, add)(3, &b);
 *     tv_pal_unregister(&pal);
 *     tv_pal_destroy(&pal);
 *
 * Functions that can fail return 0 or a negative errno. One thread at a time per struct tv_pal, except
 * TV_PAL_CALL.
 */
#ifndef PAL_LIB_TV_H
#define PAL_LIB_TV_H

#include <stddef.h>
#include "abi.h"

/* For each function of the PAL: keeps it whole, in one piece with the others, and out of the optimiser's
 * clones. */
#define TV_PAL_CODE(name)  __attribute__((section("pal_" #name), noipa, used))
#define TV_PAL_IMAGE(name) extern const unsigned char __start_pal_##name[], __stop_pal_##name[]
#define TV_PAL(name, function)                                                                               \
    ((struct tv_image){__start_pal_##name, __stop_pal_##name, (const unsigned char *)(uintptr_t)(function)})
/* The PAL as a function of the type of the one it was copied from. */
#define TV_PAL_CALL(pal, function) ((__typeof__(&(function)))(pal)->entry)

/*
 * Inside the PAL: the address of its DATA section, which the library puts right behind the code. It is
 * computed from where the code runs, so a caller cannot pass a false one.
 */
#ifdef __x86_64__
#define TV_PAL_DATA(name)                                                                                    \
    ({                                                                                                       \
        uintptr_t end_;                                                                                      \
        __asm__("lea __stop_pal_" #name "(%%rip), %0" : "=r"(end_));                                         \
        (void *)((end_ + TV_PAGE - 1) & -(uintptr_t)TV_PAGE);                                                \
    })
#else
#define TV_PAL_DATA(name)                                                                                    \
    ({                                                                                                       \
        uintptr_t end_;                                                                                      \
        __asm__("call 1f\n1: pop %0\n add $__stop_pal_" #name " - 1b, %0" : "=r"(end_) : : "cc");            \
        (void *)((end_ + TV_PAGE - 1) & -(uintptr_t)TV_PAGE);                                                \
    })
#endif

struct tv_image {
    const unsigned char *start, *stop, *entry;
};

struct tv_pages {
    unsigned data, stack, param; /* of 4096 bytes; stack and param at least 1 */
};

struct tv_pal {
    unsigned char *memory; /* one mapping: CODE, DATA, STACK, PARAM */
    size_t code_bytes, bytes;
    uintptr_t entry;
    struct tv_sections sections;
    struct tv_params params;
};

/* Whether TrustVisor answers on this CPU: 1 or 0. Asks CPUID only, so it is safe on any machine. */
int tv_present(void);

/* For main(): 0 if TrustVisor is there; otherwise one line on stderr that says so, and nonzero. */
int tv_require(void);

/*
 * The slot of the PAL that this code runs in, TV_NOT_IN_PAL outside of one, and TV_NOT_IN_PAL - 1 without
 * TrustVisor. Inline, for PALs.
 */
static inline uint32_t tv_slot(void)
{
    struct tv_cpuid r = tv_cpuid(TV_CPUID_LEAF, 0);
    return r.eax == TV_CPUID_ANSWER ? r.ebx : TV_NOT_IN_PAL - 1;
}

/*
 * One hypercall, by `vmcall` unless the environment variable TV_INSTRUCTION says `vmmcall`, or `cpu` for
 * whichever this CPU's vendor has. Without TrustVisor the instruction raises SIGILL: ask tv_present() first.
 */
uintptr_t tv_call(uint32_t number, uintptr_t ecx, uintptr_t edx, uintptr_t esi, uintptr_t edi);

/*
 * Copies the image to pages of its own (code read, write and execute, the rest read and write, all resident,
 * locked and kept out of children) and fills in pal->sections. No parameters yet. -EINVAL for an image or sizes that
 * cannot be a PAL, or mmap's errno.
 */
int tv_pal_create(struct tv_pal *pal, struct tv_image image, struct tv_pages pages);

/* Adds the next parameter, words only for a POINTER. -ENOSPC beyond ten. Before tv_pal_register(). */
int tv_pal_param(struct tv_pal *pal, enum tv_param_type type, uint64_t words);

/* TrustVisor's own result: 0, or nonzero when it refuses; its log says why. From then on the pages are out of
 * this program's reach. */
uintptr_t tv_pal_register(const struct tv_pal *pal);

/* TrustVisor's own result. DATA, STACK and PARAM come back zeroed. */
uintptr_t tv_pal_unregister(const struct tv_pal *pal);

/* Frees the pages; the PAL must not be registered. */
void tv_pal_destroy(struct tv_pal *pal);

/* Bytes of PARAM that one call with these parameters takes, for a word size of 4 or 8; more than the section
 * has: tv_pal_register() is refused. */
uint64_t tv_param_bytes(const struct tv_params *params, unsigned word);

#endif
