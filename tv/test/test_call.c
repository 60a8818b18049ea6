/* Calls and returns: what the PAL finds, what the caller gets back, and who is turned away. */
#include <string.h>
#include "tv/test/test.h"

enum { POINTER_WORDS = 3 };

/* Ten parameters, every second one a POINTER to POINTER_WORDS words on the heap. */
static void setup(struct process *process, struct vcpu *vcpu, enum mode mode, unsigned params,
                  uint64_t args[10])
{
    struct wish wish;

    process_create(process, mode);
    process_run(process, vcpu);
    wish_default(process, &wish);
    wish.param_count = params;
    for (unsigned i = 0; i < params; i++) {
        bool pointer = i % 2;

        wish.params[i] = (struct tv_param){pointer ? TV_POINTER : TV_INTEGER, 0, pointer ? POINTER_WORDS : 1};
        /* Each buffer lies across two pages of the heap or inside one. */
        args[i] = pointer ? process->base + AT_HEAP + (i == 1 ? 0xff8 : 0x100 * i) : 0xaa000000 + i;
        for (unsigned word = 0; pointer && word < POINTER_WORDS; word++) {
            uint64_t value = 0x1000 * i + word;

            fake_store(vcpu, args[i] + word * process_word(process), &value, process_word(process));
        }
    }
    CHECK(reg(vcpu, process, &wish) == TV_OK);
}

static uint64_t word_at(struct vcpu *vcpu, const struct process *process, uint64_t gva)
{
    uint64_t value = 0;

    CHECK(fake_load(vcpu, gva, &value, process_word(process)) == STEP_OK);
    return value;
}

static void put_word(struct vcpu *vcpu, const struct process *process, uint64_t gva, uint64_t value)
{
    CHECK(fake_store(vcpu, gva, &value, process_word(process)) == STEP_OK);
}

/* The area as the PAL reads it: count, then entries from the last parameter to the first. */
static void check_area(struct vcpu *vcpu, const struct process *process, const uint64_t *args,
                       unsigned params)
{
    uint64_t at = process->base + AT_PARAM + 0x10, count, entry[3];

    CHECK(fake_load(vcpu, at, &count, 8) == STEP_OK && count == params);
    at += 8;
    for (unsigned i = params; i-- > 0;) {
        bool pointer = i % 2;

        CHECK(fake_load(vcpu, at, entry, sizeof(entry)) == STEP_OK);
        at += sizeof(entry);
        CHECK(entry[0] == (pointer ? 2 : 1));
        CHECK(entry[1] == (pointer ? POINTER_WORDS : 1) * process_word(process));
        CHECK(entry[2] == args[i]);
        CHECK(callee_arg(vcpu, process, i) == (pointer ? at : args[i]));
        for (unsigned word = 0; pointer && word < POINTER_WORDS; word++)
            CHECK(word_at(vcpu, process, at + word * process_word(process)) == 0x1000 * i + word);
        if (pointer)
            at += entry[1];
    }
}

void test_call(void)
{
    struct vcpu *vcpu = vcpu_of(3);

    for (enum mode mode = 0; mode < MODES; mode++) {
        for (unsigned params = 1; params <= 10; params++) {
            uint64_t args[10], results = 0;
            struct process process;

            fake_reset();
            setup(&process, vcpu, mode, params, args);
            for (unsigned round = 0; round < 2; round++) {
                unsigned quiesces = fake.quiesces;

                call(vcpu, &process, args, params);
                CHECK(vcpu->app == pal_at(0) && vcpu->view == pal_at(0)->view);
                CHECK(vcpu->regs[REG_RIP] == process.base + AT_ENTRY);
                CHECK(word_at(vcpu, &process, vcpu->regs[REG_RSP]) == 4);
                if (round == 0)
                    check_area(vcpu, &process, args, params);
                for (unsigned i = 1; i < params; i += 2)
                    put_word(vcpu, &process, callee_arg(vcpu, &process, i), 0x77000 + i + round);
                vcpu->regs[REG_RAX] = 0x1122334455667788;
                CHECK(ret(vcpu, &process) == STEP_NESTED && fake_result == HYPAPP_DONE);
                CHECK(!vcpu->event.pending && vcpu->app == NULL && vcpu->view == view_main());
                CHECK(vcpu->regs[REG_RAX] == (mode == MODE_64 ? 0x1122334455667788 : 0x55667788));
                CHECK(vcpu->regs[REG_RIP] == return_address(&process));
                CHECK(fake.quiesces == quiesces); /* nobody was stopped */
                for (unsigned i = 1; i < params; i += 2) {
                    results += word_at(vcpu, &process, args[i]) == 0x77000 + i + round;
                    CHECK(word_at(vcpu, &process, args[i] + process_word(&process)) == 0x1000 * i + 1);
                }
                vcpu->regs[REG_RSP] = process.base + AT_USTACK_TOP; /* the caller drops its arguments */
            }
            CHECK(results == params / 2 * 2);
            CHECK(unreg(vcpu, &process) == TV_OK);
        }
    }
}

/* What the run changes of the vcpu, and that all of it comes back. */
void test_call_context(void)
{
    static const enum reg kept[] = {REG_RBX,  REG_RBP, REG_R12, REG_R13,      REG_R14,
                                    REG_R15,  REG_CR0, REG_CR2, REG_CR3,      REG_CR4,
                                    REG_EFER, REG_DR6, REG_DR7, REG_DEBUGCTL, REG_SYSENTER_CS};
    static const enum reg gone[] = {REG_RCX, REG_RDX, REG_RSI, REG_RDI, REG_R8, REG_R9, REG_R10, REG_R11};
    struct vcpu *vcpu = vcpu_of(0), before;

    for (enum mode mode = 0; mode < MODES; mode++) {
        struct process process;
        uint64_t args[10];

        fake_reset();
        setup(&process, vcpu, mode, 1, args);
        for (unsigned i = 0; i <= REG_R15; i++)
            if (i != REG_RSP)
                vcpu->regs[i] = 0xc0de0000 + i;
        vcpu->regs[REG_RFLAGS] = 0x246 | 1 << 8 | 1 << 10; /* IF, TF and DF */
        vcpu->regs[REG_DR7] = 0x401;
        vcpu->regs[REG_DR6] = 0xffff0ff1;
        vcpu->regs[REG_DEBUGCTL] = 2;
        vcpu->regs[REG_CR2] = 0x1234;
        vcpu->regs[REG_SYSENTER_CS] = 0x10;
        vcpu->regs[REG_CR4] |= 1 << 25; /* UINTR */
        before = *vcpu;
        call(vcpu, &process, (uint64_t[]){9}, 1);
        CHECK(vcpu->regs[REG_RFLAGS] == 2);
        CHECK(vcpu->regs[REG_CR4] == (before.regs[REG_CR4] & ~(1ull << 25)));
        CHECK(vcpu->regs[REG_DR7] == 0x400 && vcpu->regs[REG_DEBUGCTL] == 0);
        CHECK((vcpu->regs[REG_CR0] & (CR0_EM | CR0_TS)) == (CR0_EM | CR0_TS));
        CHECK(!(vcpu->regs[REG_EFER] & EFER_SCE) && vcpu->regs[REG_SYSENTER_CS] == 0);
        CHECK(vcpu->exceptions && vcpu->nmi_held);
        CHECK(vcpu->regs[REG_R12] == before.regs[REG_R12]);
        for (unsigned i = 0; i <= REG_R15; i++)
            if (i != REG_RSP)
                vcpu->regs[i] = 0x5ec2e7;
        vcpu->regs[REG_RFLAGS] = 0xad7;
        vcpu->regs[REG_DR6] = 0xffff4ff0;
        vcpu->regs[REG_CR2] = 0x666;
        ret(vcpu, &process);
        CHECK(vcpu->regs[REG_RSP] == process.base + AT_USTACK_TOP - (mode == MODE_64 ? 0 : 4));
        CHECK(vcpu->regs[REG_RFLAGS] == before.regs[REG_RFLAGS]);
        CHECK(!vcpu->exceptions && !vcpu->nmi_held);
        for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
            CHECK(vcpu->regs[kept[i]] == before.regs[kept[i]]);
        for (size_t i = 0; i < (mode == MODE_64 ? sizeof(gone) / sizeof(*gone) : 2); i++)
            CHECK(vcpu->regs[gone[i]] == 0);
    }
}

/* What the PAL writes over the area's headers moves no result. */
void test_call_private_copies(void)
{
    struct vcpu *vcpu = vcpu_of(0);
    struct process process;
    uint64_t args[10], data, junk[3] = {2, 4096, 0};

    setup(&process, vcpu, MODE_64, 4, args);
    junk[2] = process.base + AT_WISH; /* where a believer would write */
    call(vcpu, &process, args, 4);
    data = callee_arg(vcpu, &process, 3);
    CHECK(fake_store(vcpu, process.base + AT_PARAM + 0x10, &(uint64_t){99}, 8) == STEP_OK);
    CHECK(fake_store(vcpu, data - 24, junk, sizeof(junk)) == STEP_OK);
    put_word(vcpu, &process, data, 0x4242);
    memset(guest_ram(process_gpa(&process, AT_WISH)), 0x11, PAGE_SIZE);
    vcpu->regs[REG_RDI] = vcpu->regs[REG_RSI] = 0;
    ret(vcpu, &process);
    CHECK(vcpu->regs[REG_RIP] == return_address(&process) && !vcpu->event.pending);
    CHECK(word_at(vcpu, &process, args[3]) == 0x4242);
    CHECK(word_at(vcpu, &process, args[1]) == 0x1000);
    for (unsigned i = 0; i < PAGE_SIZE; i++)
        CHECK(((uint8_t *)guest_ram(process_gpa(&process, AT_WISH)))[i] == 0x11);
}

/* PCID and flag bits of CR3 come and go; the PAL is found by the address, and runs under the caller's. */
void test_call_pcid(void)
{
    struct vcpu *vcpu = vcpu_of(0);

    for (enum mode mode = 0; mode < MODES; mode++) {
        uint64_t args[10], flags = mode == MODE_PAE ? 0x18 : 0x7ff;
        struct process process;

        fake_reset();
        setup(&process, vcpu, mode, 1, args);
        vcpu->regs[REG_CR3] |= flags;
        call(vcpu, &process, args, 1);
        CHECK(vcpu->app == pal_at(0));
        CHECK(vcpu->regs[REG_CR3] == (pal_at(0)->root | flags));
        CHECK(word_at(vcpu, &process, vcpu->regs[REG_RSP]) == 4);
        ret(vcpu, &process);
        CHECK(vcpu->regs[REG_CR3] == (process.cr3 | flags));
        vcpu->regs[REG_CR3] = process.cr3 | (mode == MODE_PAE ? 8 : 3);
        CHECK(unreg(vcpu, &process) == TV_OK);
    }
}

/* The call at `spoil`ed state is answered by #GP(0) at the entry; nothing else happens. */
#define REFUSED(spoil)                                                                                       \
    do {                                                                                                     \
        struct snapshot *before;                                                                             \
        process_run(&process, vcpu);                                                                         \
        vcpu->regs[REG_RIP] = process.base + AT_ENTRY;                                                       \
        vcpu->regs[REG_RSP] -= 8;                                                                            \
        put_word(vcpu, &process, vcpu->regs[REG_RSP], return_address(&process));                             \
        spoil;                                                                                               \
        vcpu->event.pending = false;                                                                         \
        before = snapshot_take(vcpu);                                                                        \
        CHECK(fake_fetch(vcpu) == STEP_NESTED && fake_result == HYPAPP_DONE);                                \
        CHECK(vcpu->event.pending && vcpu->event.vector == 13 && vcpu->event.error_code == 0);               \
        vcpu->event = (struct fake_event){false, vcpu->event.vector, 0};                                     \
        CHECK(vcpu->app == NULL && vcpu->regs[REG_RIP] == process.base + AT_ENTRY);                          \
        vcpu->event = (struct fake_event){0};                                                                \
        CHECK(snapshot_differs(before, vcpu) == NULL);                                                       \
    } while (0)

void test_call_refused(void)
{
    struct vcpu *vcpu = vcpu_of(0);
    struct process process;
    uint64_t args[10];

    for (enum mode mode = 0; mode < MODES; mode++) {
        fake_reset();
        setup(&process, vcpu, mode, 1, args);
        REFUSED(vcpu->regs[REG_CPL] = 0);
        REFUSED(vcpu->regs[REG_RFLAGS] &= ~(uint64_t)RFLAGS_IF);
        REFUSED(vcpu->regs[REG_RFLAGS] |= 3 << 12);
        REFUSED(vcpu->regs[REG_RFLAGS] |= RFLAGS_VM);
        if (mode != MODE_64) {
            REFUSED(vcpu->segments[SEG_CS].base = 0x1000);
            REFUSED(vcpu->segments[SEG_SS].base = 0x1000);
            REFUSED(vcpu->segments[SEG_DS].base = 0x1000);
            REFUSED(vcpu->segments[SEG_ES].base = 0x1000);
            REFUSED(vcpu->segments[SEG_DS].limit = 0xfffff);
            REFUSED(vcpu->segments[SEG_CS].attributes &= ~SEGMENT_BIG);
            REFUSED(vcpu->segments[SEG_DS].attributes = 0);
        } else {
            REFUSED(put_word(vcpu, &process, vcpu->regs[REG_RSP], 0xffff800000000000));
            REFUSED(vcpu->regs[REG_RSP] = 0x7ffffffffffc);
        }
        process_run(&process, vcpu);
        call(vcpu, &process, args, 1); /* nothing of that spoils the next call */
        CHECK(vcpu->app == pal_at(0));
    }
    /* The mode of paging may not change under a PAL: the same CR3, entry and page. */
    fake_reset();
    setup(&process, vcpu, MODE_COMPAT, 1, args);
    pal_at(0)->layout.paging = PAGING_PAE;
    REFUSED((void)0);
}

/* Memory that is not there yet is asked for by the #PF that the caller would have got; what it may not have
 * gets #GP. */
void test_call_demand(void)
{
    static const enum mode modes[] = {MODE_64, MODE_32};
    struct vcpu *vcpu = vcpu_of(0);

    for (unsigned m = 0; m < 2; m++) {
        uint64_t args[10], stack, gpa, heap;
        struct process process;

        fake_reset();
        setup(&process, vcpu, modes[m], 2, args);
        heap = process.base + AT_HEAP;
        gpa = process_gpa(&process, AT_HEAP + PAGE_SIZE);
        stack = vcpu->regs[REG_RSP];
        process_unmap(&process, heap + PAGE_SIZE); /* the second page of args[1]'s buffer */
        call(vcpu, &process, args, 2);
        CHECK(vcpu->app == NULL && vcpu->event.pending && vcpu->event.vector == 14);
        CHECK(vcpu->event.error_code == (PF_USER | PF_WRITE) && vcpu->regs[REG_CR2] == heap + PAGE_SIZE);
        CHECK(vcpu->regs[REG_RIP] == process.base + AT_ENTRY);
        vcpu->event.pending = false;
        process_map(&process, heap + PAGE_SIZE, gpa, MAP_USER); /* present, but copy on write */
        fake_fetch(vcpu);
        CHECK(vcpu->event.pending && vcpu->event.error_code == (PF_USER | PF_WRITE | PF_PRESENT));
        vcpu->event.pending = false;
        process_map(&process, heap + PAGE_SIZE, gpa, MAP_USER | MAP_WRITE | MAP_CLEAN); /* to be forgotten */
        fake_fetch(vcpu);
        CHECK(vcpu->app == NULL && vcpu->event.pending && vcpu->event.vector == 14);
        CHECK(vcpu->event.error_code == (PF_USER | PF_WRITE | PF_PRESENT));
        CHECK(vcpu->regs[REG_CR2] == heap + PAGE_SIZE);
        vcpu->event.pending = false;
        process_map(&process, heap + PAGE_SIZE, gpa, MAP_USER | MAP_WRITE);
        fake_fetch(vcpu);
        CHECK(vcpu->app == pal_at(0) && !vcpu->event.pending);
        ret(vcpu, &process);
        CHECK(vcpu->regs[REG_RIP] == return_address(&process));

        /* The PAL's own page, or none of the user's at all, is no buffer. */
        /* Nor is what its view does not let it write, though its tables would. */
        fake.views[0].ram[process_gpa(&process, AT_WISH) / PAGE_SIZE] = ACCESS_READ | ACCESS_EXEC;
        for (unsigned i = 0; i < 3; i++) {
            args[1] = i == 2 ? process.base + AT_WISH
                      : i    ? process.base + AT_DATA
                             : (modes[m] == MODE_64 ? 0x7ffffffffff0 : 0xfffffff8);
            vcpu->regs[REG_RSP] = stack;
            call(vcpu, &process, args, 2);
            CHECK(vcpu->app == NULL && vcpu->event.pending && vcpu->event.vector == 13);
            CHECK(pal_at(0)->state == PAL_IDLE);
            vcpu->event.pending = false;
        }
    }
}

/* A PAL that runs makes a second caller try again, and says so once. */
void test_call_busy(void)
{
    struct vcpu *first = vcpu_of(0), *second = vcpu_of(1);
    uint64_t args[10];
    struct process process;
    struct snapshot *before;

    setup(&process, first, MODE_64, 1, args);
    process_run(&process, second);
    second->regs[REG_RSP] -= 0x800;
    call(first, &process, args, 1);
    call(second, &process, args, 1);
    CHECK(fake_result == HYPAPP_RETRY && second->app == NULL && !second->event.pending);
    before = snapshot_take(second);
    for (unsigned i = 0; i < 50; i++)
        CHECK(fake_fetch(second) == STEP_NESTED && fake_result == HYPAPP_RETRY);
    CHECK(snapshot_differs(before, second) == NULL);
    CHECK(fake_log_count("call of PAL 0 waits") == 1);
    ret(first, &process);
    fake_fetch(second);
    CHECK(second->app == pal_at(0));
    first->regs[REG_RSP] = process.base + AT_USTACK_TOP;
    call(first, &process, args, 1);
    CHECK(fake_result == HYPAPP_RETRY && fake_log_count("call of PAL 0 waits") == 2);
}

/* The PAL's own tables: its sections are there with what the view grants, and nothing else. */
void test_page_tables(void)
{
    struct vcpu *vcpu = vcpu_of(0);

    for (enum mode mode = 0; mode < MODES; mode++) {
        uint64_t args[10], base;
        struct process process;
        struct vcpu inside;
        uint8_t *host;

        fake_reset();
        setup(&process, vcpu, mode, 1, args);
        base = process.base;
        call(vcpu, &process, args, 1);
        inside = *vcpu;
        CHECK(fake_access(vcpu, base + AT_ENTRY, ACCESS_EXEC, &host) == STEP_OK);
        CHECK(host == (uint8_t *)guest_ram(process_gpa(&process, AT_CODE)) + AT_ENTRY);
        CHECK(fake_access(vcpu, base + AT_DATA + PAGE_SIZE + 5, ACCESS_WRITE, &host) == STEP_OK);
        CHECK(host == (uint8_t *)guest_ram(process_gpa(&process, AT_DATA + PAGE_SIZE)) + 5);
        /* The caller's uncached page is uncached for the PAL. */
        CHECK((pal_at(0)->pages[2] & RECORD_CACHE) == 0x18 && (pal_at(0)->pages[1] & RECORD_CACHE) == 0);
        CHECK(pal_at(0)->table_count <= PAL_MAX_TABLES);
        CHECK(vcpu->app == pal_at(0)); /* alive up to here */
        CHECK(fake_access(vcpu, base + AT_HEAP, ACCESS_READ, &host) == STEP_PAGE_FAULT);
        CHECK(vcpu->app == NULL && inside.app != NULL);
    }
}
