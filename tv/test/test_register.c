/* REG and UNREG: each bad input gets an error and leaves no trace; good ones move the pages. */
#include <string.h>
#include "tv/test/test.h"

struct row {
    const char *name;
    void (*spoil)(const struct process *process, struct vcpu *vcpu, struct wish *wish);
    bool not_32; /* a mode without NX has no such input */
};

#define ROW(name, ...)                                                                                       \
    static void name(const struct process *p, struct vcpu *vcpu, struct wish *w)                             \
    {                                                                                                        \
        (void)p, (void)vcpu, (void)w;                                                                        \
        __VA_ARGS__;                                                                                         \
    }
ROW(no_sections, w->section_count = 0)
ROW(eleven_sections, w->section_count = 11)
ROW(huge_section_count, w->section_count = 0xffffffff)
ROW(no_params, w->param_count = 0)
ROW(eleven_params, w->param_count = 11)
ROW(wild_sections, w->sections_at = p->base + AT_NOTHING)
ROW(wild_params, w->params_at = p->base + AT_NOTHING)
ROW(sections_beyond, w->sections_at = p->mode == MODE_64 ? 0x7ffffffffff0 : 0xfffffff0)
ROW(null_params, w->params_at = 0)
ROW(sections_of_kernel, w->sections_at = p->base + AT_KERNEL)
ROW(sections_of_hypervisor, w->sections_at = p->base + AT_HOLE)
ROW(type_0, w->sections[1].type = 0)
ROW(type_6, w->sections[1].type = 6)
ROW(type_7, w->sections[1].type = 7)
ROW(type_huge, w->sections[1].type = 0x80000001)
ROW(pages_0, w->sections[1].pages = 0)
ROW(pages_513, w->sections[1].pages = 513)
ROW(pages_huge, w->sections[1].pages = 0xffffffff)
ROW(pages_in_all, w->sections[1].pages = 509)
ROW(misaligned, w->sections[1].start += 8)
ROW(page_0, process_map(p, 0, process_gpa(p, AT_HEAP), MAP_USER | MAP_WRITE);
    w->sections[1] = (struct tv_section){TV_DATA, 1, 0})
ROW(upper_half, w->sections[1].start = p->mode == MODE_64 ? 0xffff800000000000 : 0x100000000)
ROW(wraps, w->sections[1].start = 0xfffffffffffff000)
ROW(over_the_end, w->sections[1].start = p->mode == MODE_64 ? 0x7ffffffff000 : 0xfffff000)
ROW(overlap, w->sections[1].start = p->base + AT_STACK - PAGE_SIZE)
ROW(same_twice, w->section_count = 5; w->sections[4] = w->sections[0])
ROW(entry_elsewhere, w->entry = p->base + AT_HEAP)
ROW(entry_in_data, w->entry = p->base + AT_DATA)
ROW(entry_in_shared, w->section_count = 5;
    w->sections[4] = (struct tv_section){TV_SHARED_CODE, 1, p->base + AT_SHARED};
    w->entry = p->base + AT_SHARED)
ROW(no_code, w->sections[0].type = TV_DATA)
ROW(no_stack, w->sections[2].type = TV_DATA)
ROW(no_param_section, w->sections[3].type = TV_DATA)
ROW(param_type_0, w->params[0].type = 0)
ROW(param_type_3, w->params[0].type = 3)
ROW(pointer_too_big,
    w->params[0] = (struct tv_param){TV_POINTER, 0, (8192 - 16 - 8 - 24) / (p->mode == MODE_64 ? 8 : 4) + 1})
ROW(pointer_overflows, w->params[0] = (struct tv_param){TV_POINTER, 0, 1ull << 62})
ROW(pointers_too_big, w->param_count = 2;
    w->params[0] = w->params[1] = (struct tv_param){TV_POINTER, 0, 4096 / (p->mode == MODE_64 ? 8 : 4)})
ROW(no_room_for_entry, w->param_count = 2;
    w->params[1] = (struct tv_param){TV_POINTER, 0, (8192 - 16 - 8 - 24) / (p->mode == MODE_64 ? 8 : 4)})
ROW(view_denies, fake.views[0].ram[process_gpa(p, AT_DATA) / PAGE_SIZE] = ACCESS_READ)
ROW(unmapped, w->sections[1] = (struct tv_section){TV_DATA, 1, p->base + AT_NOTHING})
ROW(unmapped_last, w->sections[1] = (struct tv_section){TV_DATA, 2, p->base + AT_NX})
ROW(supervisor, w->sections[1] = (struct tv_section){TV_DATA, 1, p->base + AT_KERNEL})
ROW(read_only_data, w->sections[1] = (struct tv_section){TV_DATA, 1, p->base + AT_READONLY})
ROW(read_only_code, w->sections[1] = (struct tv_section){TV_CODE, 1, p->base + AT_READONLY})
ROW(nx_code, w->sections[1] = (struct tv_section){TV_CODE, 1, p->base + AT_NX})
ROW(hypervisor, w->sections[1] = (struct tv_section){TV_DATA, 1, p->base + AT_HOLE})
ROW(hypervisor_shared, w->sections[1] = (struct tv_section){TV_SHARED_CODE, 1, p->base + AT_HOLE})
ROW(lapic, w->sections[1] = (struct tv_section){TV_DATA, 1, p->base + AT_LAPIC})
ROW(beyond_ram, w->sections[1] = (struct tv_section){TV_DATA, 1, p->base + AT_BEYOND})
ROW(gpa_0, w->sections[1] = (struct tv_section){TV_DATA, 1, p->base + AT_GPA0})
ROW(alias, w->section_count = 5; w->sections[4] = (struct tv_section){TV_DATA, 1, p->base + AT_ALIAS})
ROW(paging_off, vcpu->regs[REG_CR0] &= ~(uint64_t)CR0_PG)
ROW(five_levels, vcpu->regs[REG_CR4] |= CR4_LA57; if (p->mode >= MODE_PAE) vcpu->regs[REG_CR0] = 0)

#define R(name)                                                                                              \
    {                                                                                                        \
#name, name, false                                                                                   \
    }
static const struct row rows[] = {
    R(no_sections),
    R(eleven_sections),
    R(huge_section_count),
    R(no_params),
    R(eleven_params),
    R(wild_sections),
    R(wild_params),
    R(sections_beyond),
    R(null_params),
    R(sections_of_kernel),
    R(sections_of_hypervisor),
    R(type_0),
    R(type_6),
    R(type_7),
    R(type_huge),
    R(pages_0),
    R(pages_513),
    R(pages_huge),
    R(pages_in_all),
    R(misaligned),
    R(page_0),
    R(upper_half),
    R(wraps),
    R(over_the_end),
    R(overlap),
    R(same_twice),
    R(entry_elsewhere),
    R(entry_in_data),
    R(entry_in_shared),
    R(no_code),
    R(no_stack),
    R(no_param_section),
    R(param_type_0),
    R(param_type_3),
    R(pointer_too_big),
    R(pointer_overflows),
    R(pointers_too_big),
    R(no_room_for_entry),
    R(view_denies),
    R(unmapped),
    R(unmapped_last),
    R(supervisor),
    R(read_only_data),
    R(read_only_code),
    {"nx_code", nx_code, true},
    R(hypervisor),
    R(hypervisor_shared),
    R(lapic),
    R(beyond_ram),
    R(gpa_0),
    R(alias),
    R(paging_off),
    R(five_levels),
};

void test_register_rows(void)
{
    struct vcpu *vcpu = vcpu_of(1);

    for (enum mode mode = 0; mode < MODES; mode++) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
            struct snapshot *before;
            struct process process;
            struct wish wish;

            if (rows[i].not_32 && mode == MODE_32)
                continue;
            test_note = rows[i].name;
            fake_reset();
            process_create(&process, mode);
            process_run(&process, vcpu);
            wish_default(&process, &wish);
            CHECK(reg(vcpu, &process, &wish) == TV_OK); /* what is spoilt was good */
            CHECK(unreg(vcpu, &process) == TV_OK);
            rows[i].spoil(&process, vcpu, &wish);
            vcpu->regs[REG_RSI] = wish.params_at;
            vcpu->regs[REG_RDI] = wish.entry;
            vcpu->regs[REG_RCX] = wish.sections_at;
            memcpy(guest_ram(process_gpa(&process, AT_WISH)), &wish.section_count, 4);
            memcpy((uint8_t *)guest_ram(process_gpa(&process, AT_WISH)) + 8, wish.sections,
                   sizeof(wish.sections));
            memcpy((uint8_t *)guest_ram(process_gpa(&process, AT_WISH)) + 0x400, &wish.param_count, 4);
            memcpy((uint8_t *)guest_ram(process_gpa(&process, AT_WISH)) + 0x408, wish.params,
                   sizeof(wish.params));
            fake.log[0] = 0;
            before = snapshot_take(vcpu);
            CHECK(reg(vcpu, &process, &wish) == TV_FAILED);
            CHECK(snapshot_differs(before, vcpu) == NULL);
            CHECK(fake_log_count("warn: REG refused") == 1);
            CHECK(fake.misuse == 0);
        }
    }
}

static void check_pages(const struct process *process, uint64_t offset, unsigned pages, unsigned guest,
                        unsigned pal)
{
    for (unsigned i = 0; i < pages; i++) {
        uint64_t gpa = process_gpa(process, offset + i * PAGE_SIZE);

        CHECK(view_prot(view_main(), gpa) == guest);
        if (pal_at(0)->view)
            CHECK(view_prot(pal_at(0)->view, gpa) == pal);
    }
}

void test_register_good(void)
{
    struct vcpu *vcpu = vcpu_of(0);

    for (enum mode mode = 0; mode < MODES; mode++) {
        struct process process;
        struct wish wish;
        unsigned pool;

        fake_reset();
        process_create(&process, mode);
        process_run(&process, vcpu);
        wish_default(&process, &wish);
        wish.section_count = 5;
        wish.sections[4] = (struct tv_section){TV_SHARED_CODE, 1, process.base + AT_SHARED};
        pool = pages_free();
        CHECK(reg(vcpu, &process, &wish) == TV_OK);
        CHECK(fake.quiesces == 1 && fake.flushes == 1);
        check_pages(&process, AT_CODE, 1, 0, ACCESS_READ | ACCESS_EXEC);
        check_pages(&process, AT_DATA, 2, 0, ACCESS_READ | ACCESS_WRITE);
        check_pages(&process, AT_STACK, 1, 0, ACCESS_READ | ACCESS_WRITE);
        check_pages(&process, AT_PARAM, 2, 0, ACCESS_READ | ACCESS_WRITE);
        check_pages(&process, AT_SHARED, 1, ACCESS_READ | ACCESS_EXEC, ACCESS_READ | ACCESS_EXEC);
        CHECK(view_prot(pal_at(0)->view, 0) == 0);
        /* Shared with the guest is not shared with another PAL: who gave the page back first would make it
         * writable. */
        wish.section_count = 4;
        wish.sections[0] = (struct tv_section){TV_CODE, 1, process.base + AT_SPARE};
        wish.sections[1] = (struct tv_section){TV_SHARED_CODE, 1, process.base + AT_SHARED};
        wish.sections[2].start = process.base + AT_SPARE + PAGE_SIZE;
        wish.sections[3] = (struct tv_section){TV_PARAM, 1, process.base + AT_SPARE + 2 * PAGE_SIZE};
        wish.entry = process.base + AT_SPARE;
        CHECK(reg(vcpu, &process, &wish) == TV_FAILED && fake_log_count("or another PAL's") == 1);
        CHECK(pages_free() < pool);
        CHECK(memcmp(guest_ram(process_gpa(&process, AT_CODE)), "\x90\x90", 2) == 0);
        CHECK(unreg(vcpu, &process) == TV_OK);
        CHECK(fake.flushes == 3); /* REG, the refused one, UNREG */
        CHECK(pages_free() == pool);
        check_pages(&process, AT_CODE, 1, ACCESS_RWX, 0);
        check_pages(&process, AT_DATA, 2, ACCESS_RWX, 0);
        check_pages(&process, AT_SHARED, 1, ACCESS_RWX, 0);
        CHECK(((uint8_t *)guest_ram(process_gpa(&process, AT_CODE)))[5] == 0x90); /* code is not scrubbed */
        CHECK(((uint8_t *)guest_ram(process_gpa(&process, AT_DATA)))[5] == 0);
        CHECK(((uint8_t *)guest_ram(process_gpa(&process, AT_STACK)))[4095] == 0);
        CHECK(((uint8_t *)guest_ram(process_gpa(&process, AT_PARAM + PAGE_SIZE)))[4095] == 0);
        CHECK(unreg(vcpu, &process) == TV_FAILED);
    }
}

/* A page inside a large one; and the permission that the guest had comes back, not RWX. */
void test_register_large_page(void)
{
    struct vcpu *vcpu = vcpu_of(0);

    for (enum mode mode = 0; mode < MODES; mode++) {
        uint64_t big, gpa;
        struct process process;
        struct wish wish;

        fake_reset();
        process_create(&process, mode);
        process_run(&process, vcpu);
        wish_default(&process, &wish);
        big = (process.base + AT_BIG) & ~0x3fffffull;
        gpa = (RAM_PAGES - 1024 + 7) * PAGE_SIZE;
        fake.views[0].ram[gpa / PAGE_SIZE] = ACCESS_READ | ACCESS_WRITE;
        wish.section_count = 5;
        wish.sections[4] = (struct tv_section){TV_DATA, 3, big + 7 * PAGE_SIZE};
        CHECK(reg(vcpu, &process, &wish) == TV_OK);
        CHECK((pal_at(0)->pages[6] & RECORD_CACHE) == 0); /* bit 7 of a large entry is not PAT */
        CHECK(view_prot(view_main(), gpa - PAGE_SIZE) == ACCESS_RWX);
        CHECK(view_prot(view_main(), gpa) == 0 && view_prot(view_main(), gpa + 2 * PAGE_SIZE) == 0);
        CHECK(view_prot(view_main(), gpa + 3 * PAGE_SIZE) == ACCESS_RWX);
        CHECK(unreg(vcpu, &process) == TV_OK);
        CHECK(view_prot(view_main(), gpa) == (ACCESS_READ | ACCESS_WRITE));
        CHECK(view_prot(view_main(), gpa + PAGE_SIZE) == ACCESS_RWX);
        process_map(&process, big, (RAM_PAGES - 1024) * PAGE_SIZE,
                    MAP_USER | MAP_WRITE | MAP_LARGE | MAP_PAT_LARGE);
        CHECK(reg(vcpu, &process, &wish) == TV_OK);
        CHECK((pal_at(0)->pages[6] & RECORD_CACHE) == 0x80); /* bit 12 is */
    }
}

/* Twice the same name: refused while the first is whole, and the first ends when its process is another by
 * now. */
void test_register_namesake(void)
{
    struct vcpu *vcpu = vcpu_of(0);
    struct process process, other;
    struct snapshot *before;
    struct wish wish;

    process_create(&process, MODE_64);
    process_run(&process, vcpu);
    wish_default(&process, &wish);
    CHECK(reg(vcpu, &process, &wish) == TV_OK);
    vcpu->regs[REG_RCX] = wish.sections_at;
    before = snapshot_take(vcpu);
    CHECK(reg(vcpu, &process, &wish) == TV_FAILED);
    CHECK(snapshot_differs(before, vcpu) == NULL);

    /* Another process has other pages, and may not have these. */
    process_create(&other, MODE_64);
    process_run(&other, vcpu);
    process_map(&other, other.base + AT_DATA, process_gpa(&process, AT_DATA), MAP_USER | MAP_WRITE);
    wish_default(&other, &wish);
    CHECK(reg(vcpu, &other, &wish) == TV_FAILED);
    CHECK(view_prot(pal_at(0)->view, process_gpa(&process, AT_DATA)) != 0);

    /* The first process is gone, and its CR3 has come to a new one. */
    process_create(&other, MODE_64);
    wish_default(&other, &wish);
    process_run(&other, vcpu);
    pal_at(0)->layout.cr3 = other.cr3;
    CHECK(reg(vcpu, &other, &wish) == TV_OK);
    CHECK(fake_log_count("PAL 0 ends") == 1);
    CHECK(view_prot(view_main(), process_gpa(&process, AT_DATA)) == ACCESS_RWX);
    CHECK(((uint8_t *)guest_ram(process_gpa(&process, AT_DATA)))[9] == 0);
    CHECK(pal_at(0)->state == PAL_FREE && pal_at(1)->state == PAL_IDLE);
    CHECK(unreg(vcpu, &other) == TV_OK);
    CHECK(pages_free() == POOL_PAGES);
}

/* 100 slots, and the 101st is an error. */
void test_register_slots(void)
{
    struct vcpu *vcpu = vcpu_of(0);
    struct process processes[PAL_SLOTS], one;
    struct snapshot *before;
    struct wish wish;

    process_create(&one, MODE_32);
    for (unsigned i = 0; i < PAL_SLOTS; i++) {
        uint64_t gpa = (16 + 64 + i * 4) * PAGE_SIZE;

        /* The same process's memory under many names; four pages for each PAL, above what processes have
         * here. */
        processes[i] = one;
        processes[i].base = one.base + 0x1000000 + i * 0x100000;
        for (unsigned page = 0; page < 4; page++)
            process_map(&one, processes[i].base + page * PAGE_SIZE, gpa + page * PAGE_SIZE + 0x600000,
                        MAP_USER | MAP_WRITE);
        process_run(&one, vcpu);
        wish_default(&one, &wish);
        for (unsigned section = 0; section < 4; section++)
            wish.sections[section] =
                (struct tv_section){TV_CODE + section, 1, processes[i].base + section * PAGE_SIZE};
        wish.entry = processes[i].base + AT_ENTRY;
        CHECK(reg(vcpu, &one, &wish) == TV_OK);
    }
    wish_default(&one, &wish);
    vcpu->regs[REG_RSI] = wish.params_at;
    vcpu->regs[REG_RDI] = wish.entry;
    vcpu->regs[REG_RCX] = wish.sections_at;
    fake.log[0] = 0;
    CHECK(reg(vcpu, &one, &wish) == TV_FAILED);
    before = snapshot_take(vcpu);
    CHECK(reg(vcpu, &one, &wish) == TV_FAILED);
    CHECK(snapshot_differs(before, vcpu) == NULL);
    CHECK(fake_log_count("slots are in use") == 2);
    for (unsigned i = 0; i < PAL_SLOTS; i++)
        CHECK(unreg(vcpu, &processes[i]) == TV_OK);
    CHECK(pages_free() == POOL_PAGES);
    CHECK(reg(vcpu, &one, &wish) == TV_OK);
}

/* Memory fails at each point in turn: an error, and all is as before. */
void test_register_pool(void)
{
    struct vcpu *vcpu = vcpu_of(0);

    for (enum mode mode = 0; mode < MODES; mode++) {
        unsigned points = 0;
        uint64_t answer;

        do {
            struct snapshot *before;
            struct process process;
            struct wish wish;
            bool reached;

            fake_reset();
            process_create(&process, mode);
            process_run(&process, vcpu);
            wish_default(&process, &wish);
            wish.section_count = 5; /* in another 2 MiB of RAM, so that lending has two points to fail at */
            wish.sections[4] = (struct tv_section){TV_DATA, 1, (process.base + AT_BIG) & ~0x3fffffull};
            wish.sections_at = process.base + AT_NOTHING;
            CHECK(reg(vcpu, &process, &wish) == TV_FAILED); /* writes the arrays */
            wish.sections_at = process.base + AT_WISH;
            vcpu->regs[REG_RCX] = wish.sections_at;
            before = snapshot_take(vcpu);
            fake.fail_in = (int)++points;
            answer = reg(vcpu, &process, &wish);
            reached = fake.fail_in == 0;
            CHECK(answer == (reached ? TV_FAILED : TV_OK));
            CHECK((snapshot_differs(before, vcpu) == NULL) == reached);
            CHECK(fake_log_count("out of memory") == reached);
            CHECK(fake.misuse == 0);
        } while (answer == TV_FAILED && points < 100);
        CHECK(points > 8); /* records, tables, view, lending */
    }
}

void test_retry(void)
{
    struct vcpu *vcpu = vcpu_of(0);
    struct process process;
    struct snapshot *before;
    struct wish wish;

    process_create(&process, MODE_64);
    process_run(&process, vcpu);
    wish_default(&process, &wish);
    fake.lose_quiesce = true;
    CHECK(reg(vcpu, &process, &wish) == ANSWER_RETRY);
    CHECK(vcpu->regs[REG_RAX] == (0x5500000000 | TV_REG)); /* to be executed again */
    CHECK(pal_at(0)->state == PAL_FREE && fake.log[0] == 0);
    CHECK(reg(vcpu, &process, &wish) == TV_OK);
    fake.lose_quiesce = true;
    vcpu->regs[REG_RCX] = process.base + AT_ENTRY;
    before = snapshot_take(vcpu);
    CHECK(unreg(vcpu, &process) == ANSWER_RETRY);
    CHECK(snapshot_differs(before, vcpu) == NULL);
    CHECK(unreg(vcpu, &process) == TV_OK);
}

void test_unregister(void)
{
    struct vcpu *vcpu = vcpu_of(0), *second = vcpu_of(2);
    struct process process, other;
    struct wish wish;

    process_create(&process, MODE_64);
    process_create(&other, MODE_64);
    process_run(&process, vcpu);
    wish_default(&process, &wish);
    CHECK(reg(vcpu, &process, &wish) == TV_OK);
    CHECK(hypercall(vcpu, TV_UNREG, process.base + AT_ENTRY + 1) == TV_FAILED);
    process_run(&other, second); /* same entry, another address space */
    CHECK(unreg(second, &other) == TV_FAILED);
    process_run(&process, second);
    second->segments[SEG_CS].attributes = SEGMENT_PRESENT | SEGMENT_BIG; /* same address space, 32-bit code */
    CHECK(unreg(second, &process) == TV_FAILED);
    process_run(&process, second);

    call(vcpu, &process, (uint64_t[]){1}, 1);
    CHECK(vcpu->app == pal_at(0));
    CHECK(unreg(second, &process) == TV_FAILED); /* runs on another CPU */
    CHECK(fake_log_count("UNREG refused: PAL 0 is running") == 1);
    CHECK(unreg(vcpu, &process) == TV_FAILED); /* from inside */
    CHECK(reg(vcpu, &process, &wish) == TV_FAILED);
    CHECK(fake_log_count("called by PAL 0") == 2);
    vcpu->regs[REG_RAX] = 5;
    CHECK(ret(vcpu, &process) == STEP_NESTED);
    CHECK(unreg(second, &process) == TV_OK);
    CHECK(pages_free() == POOL_PAGES);
}

void test_ranges(void)
{
    CHECK(caller_range(true, 0x7fffffffffff, 1) && !caller_range(true, 0x7fffffffffff, 2));
    CHECK(caller_range(false, 0xffffffff, 1) && !caller_range(false, 0xffffffff, 2));
    CHECK(!caller_range(true, 0xfffffffffffff000, 0x2000) && !caller_range(true, 0x1000, 0xfffffffffffff000));
    CHECK(!caller_range(true, 0xffff800000000000, 1) && !caller_range(false, 0x100000000, 1));
}

void test_misc_calls(void)
{
    struct vcpu *vcpu = vcpu_of(0);
    struct process process;
    struct wish wish;
    uint32_t out[4];

    process_create(&process, MODE_64);
    process_run(&process, vcpu);
    CHECK(hypapp.init() == 0);
    CHECK(hypercall(vcpu, TV_TEST, 0x1234) == TV_OK);
    CHECK(fake_log_count("TEST 0x1234") == 1);
    for (uint32_t number = 3; number <= 23; number++)
        CHECK(hypercall(vcpu, number, 0) == TV_FAILED);
    CHECK(fake_log_count("is not offered") == 21);
    CHECK(hypercall(vcpu, 0, 0) == ANSWER_PASS);
    CHECK(hypercall(vcpu, 24, 0) == ANSWER_PASS);
    CHECK(hypercall(vcpu, 0xffffffff, 0) == ANSWER_PASS);

    CHECK(hypapp.cpuid(vcpu, TV_CPUID_LEAF, 1, out) == HYPAPP_PASS);
    CHECK(hypapp.cpuid(vcpu, 0, 0, out) == HYPAPP_PASS);
    CHECK(hypapp.cpuid(vcpu, TV_CPUID_LEAF, 0, out) == HYPAPP_DONE);
    CHECK(out[0] == 0x7a767274 && out[1] == 0xffffffff && out[2] == 1 && out[3] == 0);
    wish_default(&process, &wish);
    CHECK(reg(vcpu, &process, &wish) == TV_OK);
    call(vcpu, &process, (uint64_t[]){1}, 1);
    CHECK(hypapp.cpuid(vcpu, TV_CPUID_LEAF, 0, out) == HYPAPP_DONE);
    CHECK(out[0] == 0x7a767274 && out[1] == 0 && out[2] == 1);
    CHECK(hypercall(vcpu, TV_TEST, 7) == TV_OK); /* from inside, too */
    process_create(&process, MODE_COMPAT);
    process_run(&process, vcpu_of(1));
    CHECK(hypapp.cpuid(vcpu_of(1), TV_CPUID_LEAF, 0, out) == HYPAPP_DONE && out[2] == 0);
}
