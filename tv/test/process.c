/* Guest processes for the tests. */
#include <string.h>
#include "tv/test/process.h"

static uint64_t new_page(void)
{
    static uint64_t next;

    if (next < 16 || next >= RAM_PAGES - 1100)
        next = 16;
    if (next >= HOLE_PAGE - 1 && next < HOLE_PAGE + HOLE_PAGES)
        next = HOLE_PAGE + HOLE_PAGES;
    memset(guest_ram(next * PAGE_SIZE), 0, PAGE_SIZE);
    return next++ * PAGE_SIZE;
}

static unsigned levels(enum mode mode)
{
    return mode == MODE_32 ? 2 : mode == MODE_PAE ? 3 : 4;
}

unsigned process_word(const struct process *process)
{
    return process->mode == MODE_64 ? 8 : 4;
}

/* The entry that maps gva at `level`, tables made on the way. */
static uint8_t *entry_of(const struct process *process, uint64_t gva, unsigned level)
{
    unsigned size = process->mode == MODE_32 ? 4 : 8, bits = size == 4 ? 10 : 9;
    uint64_t table = process->cr3 & PAGE_MASK;

    for (unsigned at = levels(process->mode) - 1;; at--) {
        uint64_t index = gva >> (12 + bits * at) & ((1u << bits) - 1), entry = 0;
        uint8_t *place = (uint8_t *)guest_ram(table) + index * size;

        if (at == level)
            return place;
        memcpy(&entry, place, size);
        if (!entry) {
            entry = new_page() | (process->mode == MODE_PAE && at == 2 ? 1 : 7);
            memcpy(place, &entry, size);
        }
        table = entry & 0xffffffffff000;
    }
}

void process_map(const struct process *process, uint64_t gva, uint64_t gpa, unsigned flags)
{
    uint64_t entry = gpa | 1 | (flags & MAP_WRITE ? 2 : 0) | (flags & MAP_USER ? 4 : 0) |
                     (flags & MAP_LARGE ? 0x80 : 0) | (flags & MAP_UC ? 0x18 : 0) |
                     (flags & MAP_PAT_LARGE ? 0x1000 : 0) | (flags & MAP_CLEAN ? 0 : PT_DIRTY) |
                     (flags & MAP_NX && process->mode != MODE_32 ? 1ull << 63 : 0);

    memcpy(entry_of(process, gva, flags & MAP_LARGE ? 1 : 0), &entry, process->mode == MODE_32 ? 4 : 8);
}

void process_unmap(const struct process *process, uint64_t gva)
{
    memset(entry_of(process, gva, 0), 0, process->mode == MODE_32 ? 4 : 8);
}

static void map_new(const struct process *process, uint64_t offset, unsigned pages, unsigned flags)
{
    for (unsigned i = 0; i < pages; i++) {
        uint64_t gpa = new_page();

        memset(guest_ram(gpa), 0x90, PAGE_SIZE);
        process_map(process, process->base + offset + i * PAGE_SIZE, gpa, flags);
    }
}

void process_create(struct process *process, enum mode mode)
{
    const unsigned rwx = MAP_USER | MAP_WRITE;

    *process = (struct process){mode, new_page(), mode == MODE_64 ? 0x7f12345ff000 : 0xb75ff000};
    map_new(process, AT_CODE, 1, rwx);
    map_new(process, AT_DATA, 1, rwx);
    map_new(process, AT_DATA + PAGE_SIZE, 1, rwx | MAP_UC);
    map_new(process, AT_STACK, 1, rwx);
    map_new(process, AT_PARAM, 2, rwx);
    map_new(process, AT_SHARED, 1, MAP_USER);
    map_new(process, AT_SPARE, 3, rwx);
    map_new(process, AT_HEAP, 4, rwx | MAP_NX);
    map_new(process, AT_WISH, 1, rwx);
    map_new(process, AT_USTACK, 2, rwx);
    map_new(process, AT_KERNEL, 1, MAP_WRITE);
    map_new(process, AT_READONLY, 1, MAP_USER);
    map_new(process, AT_NX, 1, rwx | MAP_NX);
    process_map(process, process->base + AT_HOLE, HOLE_PAGE * PAGE_SIZE, rwx);
    process_map(process, process->base + AT_LAPIC, LAPIC, rwx);
    process_map(process, process->base + AT_BEYOND, RAM_PAGES * PAGE_SIZE, rwx);
    process_map(process, process->base + AT_GPA0, 0, rwx);
    process_map(process, process->base + AT_ALIAS, process_gpa(process, AT_DATA), rwx);
    /* The last 4 MiB of RAM. */
    process_map(process, (process->base + AT_BIG) & ~0x3fffffull, (RAM_PAGES - 1024) * PAGE_SIZE,
                rwx | MAP_LARGE);
}

void process_run(const struct process *process, struct vcpu *vcpu)
{
    bool compat = process->mode == MODE_COMPAT, is64 = process->mode == MODE_64;

    vcpu->regs[REG_CR0] = CR0_PG | 0x33;
    vcpu->regs[REG_CR3] = process->cr3;
    vcpu->regs[REG_CR4] = process->mode == MODE_32 ? 0x10 : CR4_PAE;
    vcpu->regs[REG_EFER] =
        (process->mode == MODE_32 ? 0 : 1 << 11) | (is64 || compat ? EFER_LMA | EFER_SCE : 0);
    vcpu->regs[REG_RFLAGS] = 0x246;
    vcpu->regs[REG_DR7] = DR7_OFF;
    vcpu->regs[REG_CPL] = 3;
    vcpu->regs[REG_RSP] = process->base + AT_USTACK_TOP;
    for (unsigned i = 0; i <= SEG_GS; i++)
        vcpu->segments[i] = (struct segment){0x2b, 0xcf3 & ~0xf00, 0xffffffff, 0};
    for (unsigned i = 0; i <= SEG_GS; i++)
        vcpu->segments[i].attributes = SEGMENT_PRESENT | (is64 ? SEGMENT_LONG : SEGMENT_BIG) | 0x73;
}

uint64_t process_gpa(const struct process *process, uint64_t offset)
{
    uint64_t entry = 0;

    memcpy(&entry, entry_of(process, process->base + offset, 0), process->mode == MODE_32 ? 4 : 8);
    return entry & 0xffffffffff000;
}

void wish_default(const struct process *process, struct wish *wish)
{
    uint64_t base = process->base;

    *wish = (struct wish){
        .section_count = 4,
        .param_count = 1,
        .sections = {{TV_CODE, 1, base + AT_CODE},
                     {TV_DATA, 2, base + AT_DATA},
                     {TV_STACK, 1, base + AT_STACK},
                     {TV_PARAM, 2, base + AT_PARAM}},
        .params = {{TV_INTEGER, 0, 1}},
        .sections_at = base + AT_WISH,
        .params_at = base + AT_WISH + 0x400,
        .entry = base + AT_ENTRY,
    };
}

uint64_t hypercall(struct vcpu *vcpu, uint32_t number, uint64_t rcx)
{
    vcpu->regs[REG_RAX] = 0x5500000000 | number;
    vcpu->regs[REG_RCX] = rcx;
    switch (hypapp.hypercall(vcpu, number)) {
    case HYPAPP_RETRY:
        return ANSWER_RETRY;
    case HYPAPP_PASS:
        return ANSWER_PASS;
    default:
        return vcpu->regs[REG_RAX];
    }
}

uint64_t reg(struct vcpu *vcpu, const struct process *process, const struct wish *wish)
{
    uint8_t *page = guest_ram(process_gpa(process, AT_WISH));

    memcpy(page, &wish->section_count, 4);
    memcpy(page + 8, wish->sections, sizeof(wish->sections));
    memcpy(page + 0x400, &wish->param_count, 4);
    memcpy(page + 0x408, wish->params, sizeof(wish->params));
    vcpu->regs[REG_RSI] = wish->params_at;
    vcpu->regs[REG_RDI] = wish->entry;
    return hypercall(vcpu, TV_REG, wish->sections_at);
}

uint64_t unreg(struct vcpu *vcpu, const struct process *process)
{
    return hypercall(vcpu, TV_UNREG, process->base + AT_ENTRY);
}

static const enum reg c_args[] = {REG_RDI, REG_RSI, REG_RDX, REG_RCX, REG_R8, REG_R9};

uint64_t return_address(const struct process *process)
{
    return process->base + AT_HEAP + 0x123;
}

static void push(struct vcpu *vcpu, const struct process *process, uint64_t value)
{
    vcpu->regs[REG_RSP] -= process_word(process);
    fake_store(vcpu, vcpu->regs[REG_RSP], &value, process_word(process));
}

void call(struct vcpu *vcpu, const struct process *process, const uint64_t *args, unsigned count)
{
    unsigned in_registers = process->mode == MODE_64 ? 6 : 0;

    for (unsigned i = count; i-- > in_registers;)
        push(vcpu, process, args[i]);
    for (unsigned i = 0; i < in_registers && i < count; i++)
        vcpu->regs[c_args[i]] = args[i];
    push(vcpu, process, return_address(process));
    vcpu->regs[REG_RIP] = process->base + AT_ENTRY;
    fake_fetch(vcpu);
}

uint64_t callee_arg(struct vcpu *vcpu, const struct process *process, unsigned i)
{
    unsigned in_registers = process->mode == MODE_64 ? 6 : 0, word = process_word(process);
    uint64_t value = 0;

    if (i < in_registers)
        return vcpu->regs[c_args[i]];
    fake_load(vcpu, vcpu->regs[REG_RSP] + word * (1 + i - in_registers), &value, word);
    return value;
}

enum step ret(struct vcpu *vcpu, const struct process *process)
{
    uint64_t target = 0;
    enum step step = fake_load(vcpu, vcpu->regs[REG_RSP], &target, process_word(process));

    if (step != STEP_OK)
        return step;
    vcpu->regs[REG_RSP] += process_word(process);
    vcpu->regs[REG_RIP] = target;
    return fake_fetch(vcpu);
}
