/* See fault.h. Error codes: SDM vol. 3, 6.13 and 6.15; machine checks: SDM vol. 3, 16.3, APM vol. 2, 9.3. */
#include "core/x86/fault.h"
#include "core/memory.h"
#include "core/x86/asm.h"

enum page_fault { PF_PRESENT = 1, PF_WRITE = 2, PF_RESERVED = 8, PF_FETCH = 16 };
enum selector_error { ERROR_IDT = 2, ERROR_LDT = 4, ERROR_INDEX = ~7 };
enum { MSR_MCG_CAP = 0x179, MSR_MCG_STATUS = 0x17A, MSR_MC0_CTL = 0x400, BANK_MSRS = 4, MAX_BANKS = 32 };
enum bank_msr { BANK_STATUS = 1, BANK_ADDRESS, BANK_MISC };
#define MC_VALID     (1ull << 63)
#define MC_OVERFLOW  (1ull << 62)
#define MC_UC        (1ull << 61)
#define MC_ADDRESS_V (1ull << 58)
#define MC_PCC       (1ull << 57)

static bool canonical(uint64_t address)
{
    return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

static const char *where(uint64_t address)
{
    const struct cpu *cpu = this_cpu();
    enum stack stack = stack_of_guard(cpu, address);
    if (stack < STACKS)
        return stack_name(stack); /* its guard page */
    if (address < PAGE_SIZE)
        return "a null pointer";
    if (address >= (uint64_t)image_start && address < (uint64_t)text_end)
        return "the hypervisor's code";
    if (address >= (uint64_t)text_end && address < (uint64_t)rodata_end)
        return "the hypervisor's constants";
    if (address >= HV_BASE && address < HV_END)
        return "the hypervisor's data";
    return "memory that is not the hypervisor's";
}

static void page_fault(uint64_t error, uint64_t address)
{
    const char *access = error & PF_FETCH ? "fetch from" : error & PF_WRITE ? "write to" : "read of";
    const char *rule = error & PF_RESERVED     ? "a reserved bit is set in the page tables: they are damaged"
                       : !(error & PF_PRESENT) ? "nothing is mapped there"
                       : error & PF_FETCH      ? "it is not executable (EFER.NXE and the entry's NX)"
                       : error & PF_WRITE      ? "it is read-only, and CR0.WP is 1"
                                               : "the entry is for other accesses";
    bool guard = stack_of_guard(this_cpu(), address) < STACKS;
    log_error("  %s 0x%lx, in %s%s: %s", access, address, guard ? "the guard page under the stack: " : "",
              where(address), rule);
}

static void protection(const struct trap_frame *frame)
{
    static const char *const names[] = {"r15", "r14", "r13", "r12", "r11", "r10", "r9", "r8",
                                        "rdi", "rsi", "rbp", "rbx", "rdx", "rcx", "rax"};
    const uint64_t *registers = &frame->r15;
    uint64_t error = frame->error_code;
    if (error) {
        log_error("  by the descriptor of selector 0x%lx of the %s", error & (uint64_t)ERROR_INDEX,
                  error & ERROR_IDT   ? "IDT"
                  : error & ERROR_LDT ? "LDT"
                                      : "GDT");
        return;
    }
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (!canonical(registers[i]))
            log_error("  %s is no canonical address: bits 63:47 differ. As an address it gives this fault",
                      names[i]);
    log_error("  no selector is to blame: a non-canonical address, a value that an MSR or control register "
              "refuses, or a misaligned operand that must be aligned");
}

static void machine_check(void)
{
    uint64_t capabilities, status, bank[BANK_MSRS];
    if (!msr_read_safe(MSR_MCG_CAP, &capabilities) || !msr_read_safe(MSR_MCG_STATUS, &status))
        return;
    unsigned banks = capabilities & 0xFF, told = 0;
    log_error("  MCG_STATUS 0x%lx: %s", status,
              status & 1 ? "the interrupted program could go on" : "the interrupted program is lost");
    for (unsigned i = 0; i < banks && i < MAX_BANKS; i++) {
        for (unsigned m = BANK_STATUS; m < BANK_MSRS; m++)
            if (!msr_read_safe(MSR_MC0_CTL + BANK_MSRS * i + m, &bank[m]))
                bank[m] = 0;
        if (!(bank[BANK_STATUS] & MC_VALID))
            continue;
        told++;
        log_error("  bank %u: status 0x%lx (%s%s, error code 0x%x), address 0x%lx, misc 0x%lx", i,
                  bank[BANK_STATUS], bank[BANK_STATUS] & MC_UC ? "not corrected" : "corrected",
                  bank[BANK_STATUS] & MC_PCC ? ", the CPU's state is damaged" : "",
                  (unsigned)(bank[BANK_STATUS] & 0xFFFF),
                  bank[BANK_STATUS] & MC_ADDRESS_V ? bank[BANK_ADDRESS] : 0, bank[BANK_MISC]);
    }
    if (!told)
        log_error("  no bank holds an error");
}

void fault_explain(const struct trap_frame *frame, uint64_t cr2)
{
    switch (frame->vector) {
    case VEC_PF:
        page_fault(frame->error_code, cr2);
        break;
    case VEC_GP:
    case VEC_SS:
    case VEC_NP:
    case VEC_TS:
        protection(frame);
        break;
    case VEC_UD:
        if (frame->rip >= (uint64_t)image_start && frame->rip + 8 <= (uint64_t)text_end)
            log_error("  the instruction's bytes, last first: 0x%lx", *(const uint64_t *)frame->rip);
        else
            log_error("  rip is outside of the hypervisor's code, in %s", where(frame->rip));
        break;
    case VEC_MC:
        machine_check();
        break;
    }
}
