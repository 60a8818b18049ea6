/*
 * GDT, TSS, IDT and the stacks. A CPU has four stacks: the normal one, and one each for NMI, #DF and #MC
 * through the TSS's IST (SDM vol. 3, 6.14.5). Under each lies a page that is not mapped: an overflow faults,
 * its #PF cannot be pushed, so #DF comes on a stack of its own and the report can name what overflowed.
 */
#include "core/memory.h"
#include "core/x86/asm.h"
#include "core/x86/paging.h"
#include "core/x86/trap.h"

enum selector { SEL_CODE = 0x08, SEL_DATA = 0x10, SEL_TSS = 0x18, GDT_ENTRIES = 5, VECTORS = 32 };
enum { GATE_INTERRUPT = 0x8E, TSS_AVAILABLE = 0x89 };

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7]; /* IST n is ist[n - 1] */
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "SDM vol. 3, figure 8-11");

struct gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

/* A CPU's page of them. */
struct tables {
    uint64_t gdt[GDT_ENTRIES];
    struct tss tss __attribute__((aligned(64)));
    struct gate idt[VECTORS] __attribute__((aligned(64)));
};
extern const uint64_t trap_stubs[VECTORS];

static const struct {
    const char *name;
    unsigned size;
} stacks[STACKS] = {
    [STACK_NORMAL] = {"normal", 16384},
    [STACK_NMI] = {"NMI", 8192},
    [STACK_DF] = {"#DF", 8192},
    [STACK_MC] = {"#MC", 8192},
};

static void fill_idt(struct gate *idt)
{
    for (unsigned i = 0; i < VECTORS; i++) {
        uint64_t stub = trap_stubs[i];
        unsigned ist = i == VEC_NMI ? STACK_NMI : i == VEC_DF ? STACK_DF : i == VEC_MC ? STACK_MC : 0;
        idt[i] = (struct gate){.offset_low = (uint16_t)stub,
                               .selector = SEL_CODE,
                               .ist = (uint8_t)ist,
                               .type = GATE_INTERRUPT,
                               .offset_middle = (uint16_t)(stub >> 16),
                               .offset_high = (uint32_t)(stub >> 32)};
    }
}

int descriptors_carve(struct cpu *cpu)
{
    for (unsigned i = 0; i < STACKS; i++) {
        uint8_t *base = memory_carve(PAGE_SIZE + stacks[i].size);
        if (!base)
            return -E_NOMEM;
        paging_unmap((uint64_t)base);
        cpu->stack_top[i] = (uint64_t)base + PAGE_SIZE + stacks[i].size;
    }
    struct tables *tables = memory_carve(PAGE_SIZE);
    if (!tables)
        return -E_NOMEM;
    struct tss *tss = &tables->tss;
    cpu->tables = tables;
    cpu->tss = tss;
    for (unsigned i = STACK_NMI; i < STACKS; i++)
        tss->ist[i - 1] = cpu->stack_top[i];
    tss->io_map = sizeof *tss;
    uint64_t base = (uint64_t)tss;
    tables->gdt[SEL_CODE / 8] = 0x00AF9A000000FFFF;
    tables->gdt[SEL_DATA / 8] = 0x00CF92000000FFFF;
    tables->gdt[SEL_TSS / 8] = (sizeof *tss - 1) | (base & 0xFFFFFF) << 16 | (uint64_t)TSS_AVAILABLE << 40 |
                               (base >> 24 & 0xFF) << 56;
    tables->gdt[SEL_TSS / 8 + 1] = base >> 32;
    fill_idt(tables->idt);
    return 0;
}

void descriptors_load(struct cpu *cpu)
{
    const struct tables *tables = cpu->tables;
    struct table_pointer gdtr = {sizeof tables->gdt - 1, (uint64_t)tables->gdt};
    struct table_pointer idtr = {sizeof tables->idt - 1, (uint64_t)tables->idt};
    __asm__ volatile("lgdt %0\n\t"
                     "pushq %2\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\tmovl %3, %%eax\n\t"
                     "movl %%eax, %%ds\n\t"
                     "movl %%eax, %%es\n\t"
                     "movl %%eax, %%ss\n\t"
                     "ltr %w4\n\t"
                     "lidt %1"
                     :
                     : "m"(gdtr), "m"(idtr), "i"(SEL_CODE), "i"(SEL_DATA), "r"(SEL_TSS)
                     : "rax", "memory");
    wrmsr(MSR_GS_BASE, (uint64_t)cpu);
}

enum stack stack_of_guard(const struct cpu *cpu, uint64_t address)
{
    enum stack i = 0;
    for (; i < STACKS; i++) {
        uint64_t guard = cpu->stack_top[i] - stacks[i].size - PAGE_SIZE;
        if (cpu->stack_top[i] && address >= guard && address < guard + PAGE_SIZE)
            break;
    }
    return i;
}

const char *stack_name(enum stack stack)
{
    return stacks[stack].name;
}
size_t stack_size(enum stack stack)
{
    return stacks[stack].size;
}
