/*
 * PALs that fail, in every way a PAL can. TrustVisor kills such a PAL, zeroes what it could write, and its
 * caller gets a signal; then the machine goes on. What the PAL kept in memory or registers must not be seen
 * by the caller.
 */
#include <string.h>
#include "../programs/programs.h"
#include "check.h"

/* What the PAL does wrong; the last ones with the address that it is given. */
enum fault {
    UD2,
    DIVIDE,
    BREAKPOINT,
    SINGLE_STEP,
    ICEBP,
    HALT,
    READ_MSR,
    IO_PORT,
    X87,
    SSE,
    SYSCALL,
    INT80,
    VMRUN,
    DEEP_STACK,
    REGISTERS,
    READ,
    WRITE,
    JUMP,
    RETURN,
    BAD_STACK,
};
#define SECRET ((uintptr_t)0x5ec2e75ec2e7)

TV_PAL_IMAGE(faults);
TV_PAL_CODE(faults) static uintptr_t dig(uintptr_t depth)
{
    volatile uintptr_t frame[64];
    frame[0] = depth;
    return depth ? dig(depth - 1) + frame[0] : 0;
}

/* The entry. A secret is in DATA and on the stack before it goes wrong. */
TV_PAL_CODE(faults) static uintptr_t fail(uintptr_t what, uintptr_t where)
{
    uintptr_t *data = TV_PAL_DATA(faults);
    volatile uintptr_t on_stack = SECRET;

    data[0] = on_stack;
    switch ((enum fault)what) {
    case UD2:
        __asm__ volatile("ud2");
        break;
    case DIVIDE:
        __asm__ volatile("div %0" : : "r"(0), "a"(1), "d"(0) : "cc");
        break;
    case BREAKPOINT:
        __asm__ volatile("int3");
        break;
    case SINGLE_STEP: /* sets TF */
        __asm__ volatile("pushf; orl $0x100, (%%" STACK_POINTER "); popf; nop; nop" ::: "memory", "cc");
        break;
    case ICEBP:
        __asm__ volatile(".byte 0xf1");
        break;
    case HALT:
        __asm__ volatile("hlt");
        break;
    case READ_MSR:
        __asm__ volatile("rdmsr" : : "c"(0x1b) : "eax", "edx");
        break;
    case IO_PORT: /* the log's UART */
        __asm__ volatile("outb %b0, %w1" : : "a"('!'), "d"(0x3f8));
        break;
    case X87:
        __asm__ volatile("fld1");
        break;
    case SSE:
        __asm__ volatile("xorps %xmm0, %xmm0");
        break;
    case SYSCALL:
        __asm__ volatile(SYSTEM_CALL : : "a"(20) : "ecx", "memory");
        break;
    case INT80:
        __asm__ volatile("int $0x80" : : "a"(20) : "memory");
        break;
    case VMRUN:
        __asm__ volatile(".byte 0x0f, 0x01, 0xd8" : : "a"(0));
        break;
    case READ:
        return *(volatile uintptr_t *)where;
    case WRITE:
        *(volatile uintptr_t *)where = SECRET;
        break;
    case JUMP:
        ((void (*)(void))where)();
        break;
    case RETURN:
        __asm__ volatile("push %0; ret" : : "r"(where));
        break;
    case BAD_STACK:
        __asm__ volatile("mov %0, %%" STACK_POINTER "; push %0" : : "r"(where));
        break;
    case DEEP_STACK:
        return dig(1000);
    case REGISTERS: /* the secret is in every one of them */
        __asm__ volatile(".irp reg, " REGISTERS_BUT_AX "\n mov %0, %%\\reg\n .endr\n ud2" : : "a"(SECRET));
        break;
    }
    return 0;
}

/* The whole story of one faulty call. */
static bool dies_alone(enum fault what, uintptr_t where)
{
    static struct tv_pal pal;
    int error =
        tv_pal_create(&pal, TV_PAL(faults, fail), (struct tv_pages){.data = 1, .stack = 1, .param = 1});
    EXPECT(!error, "cannot prepare the PAL's pages: %s", strerror(-error));
    tv_pal_param(&pal, TV_PARAM_INTEGER, 0);
    tv_pal_param(&pal, TV_PARAM_INTEGER, 0);
    uintptr_t result = tv_pal_register(&pal);
    EXPECT(result == 0, "REG = %#zx", (size_t)result);

    volatile uintptr_t returned = 0;
    int signal = CAUGHT({ returned = TV_PAL_CALL(&pal, fail)(what, where); });
    EXPECT(signal, "the PAL should have died, but returned %#zx", (size_t)returned);
    printf("    %s\n", strsignal(signal));
    for (size_t i = 0; i < sizeof caught_registers / sizeof caught_registers[0]; i++)
        EXPECT((uintptr_t)caught_registers[i] != SECRET,
               "the caller sees the PAL's secret in register %zu of the signal", i);
    EXPECT(tv_slot() == TV_NOT_IN_PAL, "the CPU is still in the PAL");

    result = tv_pal_unregister(&pal);
    EXPECT(result != 0, "the PAL is still registered after its death");
    EXPECT(is_scrubbed(&pal), "what the PAL could write was not zeroed");
    tv_pal_destroy(&pal);
    return machine_goes_on();
}

static int in_program; /* an address that the PAL has no business with */
static void program_code(void) {}

#define SIMPLE(name, what)                                                                                   \
    static bool name(void)                                                                                   \
    {                                                                                                        \
        return dies_alone(what, 0);                                                                          \
    }
#define AIMED(name, what, where)                                                                             \
    static bool name(void)                                                                                   \
    {                                                                                                        \
        return dies_alone(what, (uintptr_t)(where));                                                         \
    }
SIMPLE(ud2, UD2)
SIMPLE(divide, DIVIDE)
SIMPLE(breakpoint, BREAKPOINT)
SIMPLE(single_step, SINGLE_STEP)
SIMPLE(icebp, ICEBP)
SIMPLE(halt, HALT)
SIMPLE(read_msr, READ_MSR)
SIMPLE(io_port, IO_PORT)
SIMPLE(x87, X87)
SIMPLE(sse, SSE)
SIMPLE(system_call, SYSCALL)
SIMPLE(int80, INT80)
SIMPLE(vmrun, VMRUN)
SIMPLE(deep_stack, DEEP_STACK)
SIMPLE(registers, REGISTERS)
AIMED(read_null, READ, 0)
AIMED(read_program, READ, &in_program)
AIMED(write_program, WRITE, &in_program)
AIMED(read_kernel, READ, (intptr_t)-0x70000000)
AIMED(jump_program, JUMP, program_code)
AIMED(jump_null, JUMP, 0)
AIMED(return_near, RETURN, 5) /* one byte beside the true return address */
AIMED(bad_stack, BAD_STACK, 0x1000)
#ifdef __x86_64__
AIMED(non_canonical, READ, 0x800000000000)
#endif

/* These aim at the PAL's own pages, whose addresses the PAL alone can give. */
TV_PAL_CODE(faults) static uintptr_t fail_inside(uintptr_t what, uintptr_t offset)
{
    return fail(what, (uintptr_t)TV_PAL_DATA(faults) + offset);
}

static bool inside(enum fault what, uintptr_t offset)
{
    static struct tv_pal pal;
    EXPECT(!tv_pal_create(&pal, TV_PAL(faults, fail_inside),
                          (struct tv_pages){.data = 1, .stack = 1, .param = 1}),
           "no pages");
    tv_pal_param(&pal, TV_PARAM_INTEGER, 0);
    tv_pal_param(&pal, TV_PARAM_INTEGER, 0);
    EXPECT(tv_pal_register(&pal) == 0, "REG was refused");
    int signal = CAUGHT({ TV_PAL_CALL(&pal, fail_inside)(what, offset); });
    EXPECT(signal, "the PAL should have died");
    EXPECT(tv_pal_unregister(&pal) != 0, "the PAL is still registered after its death");
    EXPECT(is_scrubbed(&pal), "what the PAL could write was not zeroed");
    return machine_goes_on();
}

static bool write_code(void)
{
    return inside(WRITE, (uintptr_t)-TV_PAGE);
}

static bool execute_data(void)
{
    return inside(JUMP, 0);
}

static bool beyond_pages(void)
{
    return inside(READ, 3 * TV_PAGE);
}

static const struct check checks[] = {
    CASE(ud2),           CASE(divide),       CASE(breakpoint),    CASE(single_step), CASE(icebp),
    CASE(halt),          CASE(read_msr),     CASE(io_port),       CASE(x87),         CASE(sse),
    CASE(system_call),   CASE(int80),        CASE(vmrun),         CASE(deep_stack),  CASE(registers),
    CASE(read_null),     CASE(read_program), CASE(write_program), CASE(read_kernel), CASE(jump_program),
    CASE(jump_null),     CASE(return_near),  CASE(bad_stack),     CASE(write_code),  CASE(execute_data),
    CASE(beyond_pages),
#ifdef __x86_64__
    CASE(non_canonical),
#endif
};

int faults_program(int argc, char **argv)
{
    return check_main(argc, argv, checks, sizeof checks / sizeof checks[0]);
}
