/* Exceptions and NMIs that the hypervisor itself takes. */
#ifndef CORE_X86_TRAP_H
#define CORE_X86_TRAP_H

#include "core/cpu.h"

struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error_code;
    uint64_t rip, cs, rflags, rsp, ss; /* pushed by the CPU */
};

enum stack { STACK_NORMAL, STACK_NMI, STACK_DF, STACK_MC, STACKS };

/* Stacks with a guard page under each, GDT, TSS and IDT of a CPU, carved from the boot pool. Negative: too little
 * memory. */
int descriptors_carve(struct cpu *cpu);
/* On the CPU itself: its GDT, TSS, IDT and GS base. */
void descriptors_load(struct cpu *cpu);

/* Which of this CPU's stacks has its guard page at that address; STACKS: none. */
enum stack stack_of_guard(const struct cpu *cpu, uint64_t address);
const char *stack_name(enum stack stack);
size_t stack_size(enum stack stack);

void trap_handle(struct trap_frame *frame); /* from trap.asm */

/* False where the MSR or XCR does not exist or the value is refused (#GP). Normal context. */
bool msr_read_safe(uint32_t msr, uint64_t *value);
bool msr_write_safe(uint32_t msr, uint64_t value);
bool xsetbv_safe(uint32_t index, uint64_t value);

#endif
