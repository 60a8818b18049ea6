/*
 * A guest without an operating system, for what no Linux program can do: run one instruction, with all
 * registers given, at CPL 0 or 3, and say what the guest's state is after it. ci/differential.py runs it on
 * VMX and on SVM and compares what it says with what the hypervisor's log says between the same marks.
 *
 * One CPU, interrupts masked, memory identity mapped for both privilege levels.
 */
#ifndef PAL_BARE_BARE_H
#define PAL_BARE_BARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A case: `code` is called with these registers. Fields that are 0 may be left out. */
struct test {
    const char *name;
    const char *code;
    uint64_t rax, rcx, rdx, rbx, rsi, rdi;
    uint64_t flags;       /* RFLAGS besides bit 1 */
    bool user;            /* CPL 3 */
    bool steps;           /* over an instruction that exits: not run on AMD's CPUs, see main.c */
    unsigned nmis;        /* the NMI handler sends so many more from within */
    void (*before)(void); /* sets up memory and control registers */
    void (*after)(void);  /* takes it back */
};

struct tests {
    const struct test *list;
    size_t count;
};

extern const struct tests cpu_tests, msr_tests, port_tests, memory_tests, call_tests, pal_tests;

/* Defines `name`, the code of a case: some instructions in AT&T syntax, RET behind them. */
#define CODE(name, text)                                                                                     \
    extern const char name[];                                                                                \
    __asm__(".pushsection .text\n" #name ": " text "\n ret\n.popsection")

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The hypercall instruction of this CPU's vendor. */
extern const char own_call[];

/* A word that cases may read and write; shown after each, and set to WORD before. */
extern volatile uint64_t word;
#define WORD 0x1111111111111111

enum { INTERRUPTS = 1 << 9, SINGLE_STEP = 1 << 8 };
/* Memory of the hypervisor, and how much above 4 GiB the address is whose tables lie there. */
#define HIDDEN       0x7800000ull
#define HIDDEN_TABLE 0x100000000ull
/* Where nothing is mapped. */
#define UNMAPPED 0x8000000000ull

#endif
