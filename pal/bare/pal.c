/*
 * PALs, good and bad. They are registered from what is set up here, one after the other; a case uses the PAL
 * that the case before it has left. The pages have one name each: this guest's addresses are physical.
 */
#include "pal/bare/bare.h"
#include "pal/lib/abi.h"

CODE(call_pal, "mov %rax, %rbx; sub $8, %rsp; call *%rbx; add $8, %rsp");
CODE(step_pal, "mov %rax, %rbx; pushfq; orl $0x100, (%rsp); popfq; call *%rbx; nop");
/* By the instructions of `fall_in`, which stand before the entry. */
CODE(shadow_pal,
     "mov %ss, %r10d; lea 1f(%rip), %r9; push %r9; pushfq; orl $0x100, (%rsp); jmp *%rcx; 1: nop");
CODE(fall_in, "popfq; mov %r10d, %ss");
CODE(touch, "mov (%rsi), %rax");
CODE(touch_write, "mov %rax, (%rsi)");
CODE(enter_behind, "call *%rsi");

/* What PALs do. Copied, so they know no address. */
CODE(pal_add, "lea (%rdi, %rsi), %rax; add %rax, (%rdx); xor %ecx, %ecx; xor %edx, %edx");
CODE(pal_ud2, "ud2");
CODE(pal_divide, "xor %edx, %edx; xor %ecx, %ecx; mov $1, %eax; div %ecx");
CODE(pal_read, "mov (%rdi), %rax");
CODE(pal_write, "mov %rax, (%rdi)");
CODE(pal_jump, "jmp *%rdi");
CODE(pal_syscall, "syscall");
CODE(pal_sysenter, "sysenter");
CODE(pal_int, "int $0x40");
CODE(pal_int3, "int3");
CODE(pal_hlt, "hlt");
CODE(pal_port, "mov $0x3fd, %edx; inb %dx, %al");
CODE(pal_popf, "pushfq; orl $0x100, (%rsp); popfq; nop");
CODE(pal_sse, "movaps %xmm0, %xmm1");
CODE(pal_cpuid, "push %rbx; mov $0x7a567254, %eax; xor %ecx, %ecx; cpuid; mov %rbx, %rax; pop %rbx;"
                " xor %ecx, %ecx; xor %edx, %edx");
CODE(pal_vmcall, "mov $2, %eax; mov %rdi, %rcx; vmcall");
CODE(pal_test, "mov $255, %eax; mov $7, %ecx; vmcall");

enum { PAGE = 4096, CODE_COPIED = 64, FALL_IN_SIZE = 4, GARBAGE = 9 };
struct page {
    char bytes[PAGE];
} __attribute__((aligned(4096)));
static struct page before_and_code[2], data, stack, param;
#define code before_and_code[1]
static struct tv_sections sections;
static struct tv_params params;
static volatile uint64_t buffer;

#define ENTRY ((uint64_t)&code)

static void set_up(const char *pal)
{
    for (unsigned i = 0; i < CODE_COPIED; i++)
        code.bytes[i] = pal[i];
    sections = (struct tv_sections){4,
                                    0,
                                    {{TV_SECTION_CODE, 1, (uint64_t)&code},
                                     {TV_SECTION_DATA, 1, (uint64_t)&data},
                                     {TV_SECTION_STACK, 1, (uint64_t)&stack},
                                     {TV_SECTION_PARAM, 1, (uint64_t)&param}}};
    params = (struct tv_params){
        3, 0, {{TV_PARAM_INTEGER, 0, 0}, {TV_PARAM_INTEGER, 0, 0}, {TV_PARAM_POINTER, 0, 1}}};
}

#define SET_UP(name)                                                                                         \
    static void set_##name(void)                                                                             \
    {                                                                                                        \
        set_up(pal_##name);                                                                                  \
    }

static void set_fall_in(void)
{
    for (unsigned i = 0; i < FALL_IN_SIZE; i++)
        before_and_code[0].bytes[PAGE - FALL_IN_SIZE + i] = fall_in[i];
}

SET_UP(add)
SET_UP(ud2)
SET_UP(divide)
SET_UP(read)
SET_UP(write)
SET_UP(jump)
SET_UP(syscall)
SET_UP(sysenter)
SET_UP(int)
SET_UP(int3)
SET_UP(hlt)
SET_UP(port)
SET_UP(popf)
SET_UP(sse)
SET_UP(cpuid)
SET_UP(vmcall)
SET_UP(test)

static void no_sections(void)
{
    set_add();
    sections.num_sections = 0;
}
static void bad_type(void)
{
    set_add();
    sections.sections[1].type = GARBAGE;
}
static void overlapping(void)
{
    set_add();
    sections.sections[1].start_addr = sections.sections[2].start_addr;
}
static void hidden_section(void)
{
    set_add();
    sections.sections[1].start_addr = HIDDEN;
}
static void bad_param(void)
{
    set_add();
    params.params[0].type = GARBAGE;
}
static void huge_param(void)
{
    set_add();
    params.params[2].size = 1ull << 61;
}

#define REGISTER                                                                                             \
    .rax = TV_CALL_REG, .rcx = (uint64_t)&sections, .rsi = (uint64_t)&params, .rdi = ENTRY, .user = true
#define UNREGISTER .rax = TV_CALL_UNREG, .rcx = ENTRY, .user = true
/* A call's C arguments: two integers, and a pointer to a word. */
#define CALL .rax = ENTRY, .rdi = 40, .rsi = 2, .rdx = (uint64_t)&word, .user = true, .flags = INTERRUPTS
#define CALL_WITH(address)                                                                                   \
    .rax = ENTRY, .rdi = (address), .rdx = (uint64_t)&word, .user = true, .flags = INTERRUPTS
/* A PAL that dies by a call with this argument. */
#define DIES(name, address)                                                                                  \
    {"reg_" #name, own_call, REGISTER, .before = set_##name},                                                \
    {                                                                                                        \
        "dies_" #name, call_pal, CALL_WITH(address)                                                          \
    }

static const struct test list[] = {
    {"reg_no_sections", own_call, REGISTER, .before = no_sections},
    {"reg_bad_type", own_call, REGISTER, .before = bad_type},
    {"reg_overlapping", own_call, REGISTER, .before = overlapping},
    {"reg_hidden_section", own_call, REGISTER, .before = hidden_section},
    {"reg_bad_param", own_call, REGISTER, .before = bad_param},
    {"reg_huge_param", own_call, REGISTER, .before = huge_param},

    {"reg_add", own_call, REGISTER, .before = set_add},
    {"reg_again", own_call, REGISTER},
    {"call_add", call_pal, CALL},
    {"call_add_again", call_pal, CALL},
    {"call_step", step_pal, CALL, .steps = true},
    {"call_step_shadow", shadow_pal, CALL, .rcx = ENTRY - FALL_IN_SIZE, .before = set_fall_in, .steps = true},
    {"call_interrupts_off", call_pal, .rax = ENTRY, .rdi = 40, .rsi = 2, .rdx = (uint64_t)&word,
     .user = true},
    {"call_kernel", call_pal, .rax = ENTRY, .rdi = 40, .rsi = 2, .rdx = (uint64_t)&word, .flags = INTERRUPTS},
    {"reg_add_2", own_call, REGISTER, .before = set_add},
    {"call_buffer_unmapped", call_pal, .rax = ENTRY, .rdx = UNMAPPED, .user = true, .flags = INTERRUPTS},
    {"call_buffer_hidden", call_pal, .rax = ENTRY, .rdx = HIDDEN, .user = true, .flags = INTERRUPTS},
    {"call_iopl", call_pal, .rax = ENTRY, .rdx = (uint64_t)&word, .user = true,
     .flags = INTERRUPTS | 3 << 12},
    {"call_add_still", call_pal, CALL},
    {"outside_read_code", touch, .rsi = ENTRY, .user = true},
    {"outside_read_data", touch, .rsi = (uint64_t)&data, .user = true},
    {"outside_write_stack", touch_write, .rsi = (uint64_t)&stack, .user = true},
    {"outside_enter_behind", enter_behind, .rsi = ENTRY + 1, .user = true, .flags = INTERRUPTS},
    {"outside_enter_data", enter_behind, .rsi = (uint64_t)&data, .user = true, .flags = INTERRUPTS},
    {"unreg_add", own_call, UNREGISTER},
    {"unreg_twice", own_call, UNREGISTER},
    {"outside_read_after", touch, .rsi = (uint64_t)&stack, .user = true},

    {"reg_add_3", own_call, REGISTER, .before = set_add},
    {"kernel_reads_data", touch, .rsi = (uint64_t)&data},
    {"call_dead", call_pal, CALL},

    {"reg_cpuid", own_call, REGISTER, .before = set_cpuid},
    {"call_cpuid", call_pal, CALL},
    {"unreg_cpuid", own_call, UNREGISTER},
    {"reg_test", own_call, REGISTER, .before = set_test},
    {"call_test", call_pal, CALL},
    {"unreg_test", own_call, UNREGISTER},
    {"reg_vmcall", own_call, REGISTER, .before = set_vmcall},
    {"call_unreg_itself", call_pal, CALL_WITH(ENTRY)},
    {"unreg_vmcall", own_call, UNREGISTER},

    DIES(ud2, 0),
    DIES(divide, 0),
    DIES(read, (uint64_t)&buffer),
    DIES(write, HIDDEN),
    DIES(jump, (uint64_t)&buffer),
    DIES(syscall, 0),
    DIES(sysenter, 0),
    DIES(int, 0),
    DIES(int3, 0),
    DIES(hlt, 0),
    DIES(port, 0),
    DIES(popf, 0),
    DIES(sse, 0),
};
const struct tests pal_tests = {list, COUNT(list)};
