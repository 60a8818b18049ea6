/*
 * What the checks share: cases, each in a process of its own with a deadline, and catching the signals that
 * TrustVisor's refusals turn into.
 */
#ifndef PAL_CHECK_H
#define PAL_CHECK_H

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <ucontext.h>
#include "../lib/tv.h"

struct check {
    const char *name;
    bool (*run)(void);
};

/* clang-format off */
#define CASE(name) {#name, name}
/* clang-format on */

enum {
    CHECK_SECONDS = 60, /* then a case counts as hung */
    CHECK_SKIPPED = 77, /* exit status of a case that cannot be tried here; it has said why */
};

/*
 * Runs the cases, or only the one that argv[1] names, prints PASS or FAIL for each and `N passed, N failed`
 * at the end. Without TrustVisor it says so. Returns the program's exit status.
 */
int check_main(int argc, char **argv, const struct check *checks, size_t count);

/* In a case: if the condition does not hold, says why and fails the case. */
#define EXPECT(condition, ...)                                                                               \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            printf("    " __VA_ARGS__);                                                                      \
            putchar('\n');                                                                                   \
            return false;                                                                                    \
        }                                                                                                    \
    } while (0)

/*
 * int signal = CAUGHT({ statements }); runs them and is the signal that ended them early, or 0. One thread a
 * process may use it; the registers at the signal are in caught_registers. No `return` from within.
 */
extern sigjmp_buf caught_jump;
extern volatile sig_atomic_t catching;
extern gregset_t caught_registers;
#define CAUGHT(...)                                                                                          \
    ({                                                                                                       \
        int signal_ = sigsetjmp(caught_jump, 1);                                                             \
        if (!signal_) {                                                                                      \
            catching = 1;                                                                                    \
            __VA_ARGS__;                                                                                     \
        }                                                                                                    \
        catching = 0;                                                                                        \
        signal_;                                                                                             \
    })

#ifdef __x86_64__
#define STACK_POINTER    "rsp"
#define REGISTERS_BUT_AX "rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15"
#define SYSTEM_CALL      "syscall"
#else
#define STACK_POINTER    "esp"
#define REGISTERS_BUT_AX "ebx, ecx, edx, esi, edi, ebp"
#define SYSTEM_CALL      "sysenter"
#endif

/* A PAL that is there to be abused: work(what, argument, buffer), one word behind buffer. Kept simple: each
 * case makes its own. */
enum work {
    WORK_ADD,   /* *buffer += argument; returns the old value */
    WORK_STORE, /* DATA[0] = argument */
    WORK_LOAD,  /* returns DATA[0] */
    WORK_SPIN,  /* argument rounds of a pause, then as WORK_ADD with 1 */
    WORK_CALL,  /* the hypercall `argument` with ECX, ESI and EDI from the words of DATA[1..3]; returns its
                   result */
    WORK_CPUID, /* returns tv_slot() */
    WORK_STALL, /* stops this CPU for good (core/stall.h), in the PAL */
};
bool worker_create(struct tv_pal *pal); /* pages and parameters, not registered */
bool worker_register(struct tv_pal *pal);
bool worker_works(struct tv_pal *pal); /* a call of it computes what it should */
uintptr_t work(const struct tv_pal *pal, enum work what, uintptr_t argument, uintptr_t *buffer);
uintptr_t inner_of(const struct tv_pal *pal); /* a function of it that is not the entry */

/* create, register, works, unregister, destroy: the machine is still good for a PAL. */
bool machine_goes_on(void);

/* The section of that type, to look at or to spoil. */
struct tv_section *section_of(struct tv_pal *pal, enum tv_section_type type);

/* The page that begins this section, as the program sees it. */
volatile unsigned char *page_of(struct tv_pal *pal, enum tv_section_type type);

/* Whether all of DATA, STACK and PARAM is zero, as an unregistered PAL's must be. */
bool is_scrubbed(struct tv_pal *pal);

/*
 * Where the hypervisor is: the lowest range above 16 MiB that /proc/iomem calls Reserved. 0 or a negative
 * errno; -ENOENT if none.
 */
int hypervisor_range(unsigned long long *start, unsigned long long *end);

/* A page of physical memory through /dev/mem, or NULL with a message. */
volatile unsigned char *map_physical(unsigned long long address);

#endif
