/* Runs all cases in order and prints a line for each; then turns the machine off. */
#include "pal/bare/bare.h"
#include "pal/lib/abi.h"

enum { COM2 = 0x2F8, UART_DATA = 0, UART_FIFO = 2, UART_LINE = 3, UART_STATUS = 5, UART_EMPTY = 0x60 };
enum { PIC1_MASK = 0x21, PIC2_MASK = 0xA1, PM1A_BOCHS = 0xB004, PM1A_QEMU = 0x604, SLEEP_S5 = 1 << 13 };
enum { VECTORS = 32, FINISHED = 0x40, STUB_SIZE = 16, GATE = 0x8E00, GATE_USER = 0xEE00 };
enum { CODE_0 = 0x08, DATA_0 = 0x10, DATA_3 = 0x1B, CODE_3 = 0x23, TSS = 0x28 };
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };
enum { DEBUG = 1, PAGE_FAULT = 14, RFLAGS_1 = 2, MARK_END = 0xFFFF, VMMCALL_END = (char)0xD9, STACK = 8192 };

/* head.asm knows the layout. */
struct state {
    uint64_t gpr[16], rip, flags, cs, ss, vector, error;
};
extern struct state state;
extern const char *target;
extern uint64_t nmis, nmi_rip, nmi_again, nmi_nested, gdt[];
extern char stubs[], tss[];
void run(void);
void main(void);

volatile uint64_t word;
static char case_stack[STACK] __attribute__((aligned(16)));
static char trap_stack[STACK] __attribute__((aligned(16)));
static struct gate {
    uint16_t low, selector, type, middle;
    uint32_t high, zero;
} idt[FINISHED + 1];

static void out(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static uint8_t in(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void put(char c)
{
    for (unsigned tries = 0; tries < 100000 && !(in(COM2 + UART_STATUS) & UART_EMPTY); tries++)
        ;
    out(COM2 + UART_DATA, (uint8_t)c);
}

static void puts(const char *text)
{
    while (*text)
        put(*text++);
}

static void put_field(const char *name, uint64_t value)
{
    put(' ');
    puts(name);
    put('=');
    bool some = false;
    for (int shift = 60; shift >= 0; shift -= 4) {
        unsigned digit = value >> shift & 15;
        some = some || digit || !shift;
        if (some)
            put("0123456789abcdef"[digit]);
    }
}

static void set_gate(unsigned vector, const char *entry, uint16_t type)
{
    uint64_t at = (uint64_t)entry;
    idt[vector] = (struct gate){(uint16_t)at, CODE_0, type, (uint16_t)(at >> 16), (uint32_t)(at >> 32), 0};
}

static void set_up(void)
{
    out(PIC1_MASK, 0xFF);
    out(PIC2_MASK, 0xFF);
    out(COM2 + UART_LINE, 0x80);
    out(COM2, 1); /* 115200 baud */
    out(COM2 + 1, 0);
    out(COM2 + UART_LINE, 3);
    out(COM2 + UART_FIFO, 7);

    for (unsigned i = 0; i < VECTORS; i++)
        set_gate(i, stubs + i * STUB_SIZE, GATE);
    set_gate(FINISHED, stubs + VECTORS * STUB_SIZE, GATE_USER);
    struct __attribute__((packed)) {
        uint16_t limit;
        const void *base;
    } pointer = {sizeof idt - 1, idt};
    __asm__ volatile("lidt %0" ::"m"(pointer));

    uint64_t base = (uint64_t)tss;
    gdt[TSS / 8] = 103 | (base & 0xFFFFFF) << 16 | 0x89ull << 40 | (base >> 24 & 0xFF) << 56;
    gdt[TSS / 8 + 1] = base >> 32;
    *(uint64_t *)(base + 4) = (uint64_t)(trap_stack + STACK); /* RSP0 */
    __asm__ volatile("ltr %w0" ::"r"(TSS));
}

/* Where the guest stands: in the case's code, behind it, or elsewhere. */
static void put_rip(const struct test *test)
{
    if (state.vector == FINISHED)
        puts(" rip=end");
    else
        put_field("rip", state.rip - (uint64_t)test->code);
}

static void report(const struct test *test, uint64_t dr6)
{
    uint64_t cr0, cr2, cr4;
    __asm__ volatile("mov %%cr0, %0; mov %%cr2, %1; mov %%cr4, %2" : "=r"(cr0), "=r"(cr2), "=r"(cr4));
    puts("CASE ");
    puts(test->name);
    put_field("at", (uint64_t)test->code);
    put_field("vector", state.vector);
    put_field("error", state.error);
    put_rip(test);
    put_field("rax", state.gpr[RAX]);
    put_field("rcx", state.gpr[RCX]);
    put_field("rdx", state.gpr[RDX]);
    put_field("rbx", state.gpr[RBX]);
    put_field("rsi", state.gpr[RSI]);
    put_field("rdi", state.gpr[RDI]);
    put_field("flags", state.flags);
    put_field("cr0", cr0);
    put_field("cr4", cr4);
    put_field("word", word);
    if (state.vector == PAGE_FAULT)
        put_field("cr2", cr2);
    if (state.vector == DEBUG)
        put_field("dr6", dr6);
    if (nmis) {
        put_field("nmis", nmis);
        put_field("nmi_rip", nmi_rip - (uint64_t)test->code);
        put_field("nested", nmi_nested);
    }
    put('\r');
    put('\n');
}

static bool amd(void)
{
    return tv_cpuid(0, 0).ebx == 0x68747541; /* "Auth" */
}

/* Bochs's SVM leaves a single-step trap pending over an exit and delivers it to the host, between VMRUN and
 * VMLOAD, which no hypervisor survives. */
static bool skipped(const struct test *test)
{
    return test->steps && amd();
}

static void try(const struct test *test, unsigned number)
{
    uint64_t dr6 = 0xFFFF0FF0;
    if (skipped(test)) {
        puts("CASE ");
        puts(test->name);
        puts(" skipped\r\n");
        return;
    }
    state = (struct state){.gpr = {[RAX] = test->rax,
                                   [RCX] = test->rcx,
                                   [RDX] = test->rdx,
                                   [RBX] = test->rbx,
                                   [RSI] = test->rsi,
                                   [RDI] = test->rdi,
                                   [RSP] = (uint64_t)(case_stack + STACK)},
                           .flags = test->flags | RFLAGS_1,
                           .cs = test->user ? CODE_3 : CODE_0,
                           .ss = test->user ? DATA_3 : DATA_0};
    target = test->code;
    word = WORD;
    nmis = nmi_rip = nmi_nested = 0;
    nmi_again = test->nmis;
    __asm__ volatile("mov %0, %%dr6" ::"r"(dr6));
    if (test->before)
        test->before();
    tv_vmcall(TV_CALL_TEST, number, 0, 0, 0);
    run();
    tv_vmcall(TV_CALL_TEST, MARK_END, 0, 0, 0);
    if (test->after)
        test->after();
    __asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
    report(test, dr6);
}

void main(void)
{
    static const struct tests *const all[] = {&cpu_tests,    &msr_tests,  &port_tests,
                                              &memory_tests, &call_tests, &pal_tests};
    unsigned number = 0;
    set_up();
    if (amd())
        ((volatile char *)own_call)[2] = VMMCALL_END;
    puts("BARE KASLR disabled\r\nBRAID-INIT\r\n");
    for (unsigned i = 0; i < COUNT(all); i++)
        for (size_t k = 0; k < all[i]->count; k++)
            try(&all[i]->list[k], ++number);
    puts("RESULT 0\r\n");
    __asm__ volatile("outw %0, %1" ::"a"((uint16_t)SLEEP_S5), "d"((uint16_t)PM1A_BOCHS));
    __asm__ volatile("outw %0, %1" ::"a"((uint16_t)SLEEP_S5), "d"((uint16_t)PM1A_QEMU));
}
