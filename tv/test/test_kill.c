/* How PALs end that nobody unregisters, and what the guest gets that touches them. */
#include <string.h>
#include "tv/test/test.h"

static void enter(struct process *process, struct vcpu *vcpu, enum mode mode)
{
    struct wish wish;

    fake_reset();
    process_create(process, mode);
    process_run(process, vcpu);
    wish_default(process, &wish);
    CHECK(reg(vcpu, process, &wish) == TV_OK);
    call(vcpu, process, (uint64_t[]){1}, 1);
    CHECK(vcpu->app == pal_at(0) && vcpu->limited);
}

static bool gone(const struct process *process)
{
    static const uint64_t scrubbed[] = {AT_DATA, AT_DATA + PAGE_SIZE, AT_STACK, AT_PARAM,
                                        AT_PARAM + PAGE_SIZE};

    for (unsigned i = 0; i < sizeof(scrubbed) / sizeof(*scrubbed); i++) {
        const uint8_t *page = guest_ram(process_gpa(process, scrubbed[i]));

        for (unsigned byte = 0; byte < PAGE_SIZE; byte++)
            if (page[byte])
                return false;
        if (view_prot(view_main(), process_gpa(process, scrubbed[i])) != ACCESS_RWX)
            return false;
    }
    for (unsigned byte = 0; byte < PAGE_SIZE; byte++)
        if (((const uint8_t *)guest_ram(process_gpa(process, AT_CODE)))[byte] !=
            0xcc) /* not to be run in the open */
            return false;
    return view_prot(view_main(), process_gpa(process, AT_CODE)) == ACCESS_RWX &&
           pages_free() == POOL_PAGES && pal_at(0)->state == PAL_FREE;
}

/* The caller is back behind its call, with #GP(0). */
static void check_caller(const struct vcpu *vcpu, const struct process *process)
{
    CHECK(vcpu->app == NULL && vcpu->view == view_main() && !vcpu->exceptions && !vcpu->nmi_held &&
          !vcpu->limited);
    CHECK(vcpu->regs[REG_RIP] == return_address(process) && vcpu->regs[REG_RAX] == 0);
    CHECK(vcpu->regs[REG_CR3] == process->cr3 && vcpu->regs[REG_RFLAGS] == 0x246);
    CHECK(vcpu->regs[REG_CR0] == (CR0_PG | 0x33) && vcpu->regs[REG_DR7] == DR7_OFF);
    CHECK(vcpu->event.pending && vcpu->event.vector == 13 && vcpu->event.error_code == 0);
}

/* As the last line about a kill counts them. */
static unsigned kills_so_far(void)
{
    unsigned count = 0;

    for (const char *at = fake.log; (at = strstr(at, " killed, ")); at++)
        if (sscanf(at, " killed, %u so far", &count) != 1)
            return 0;
    return count;
}

static void by_read(struct vcpu *v, const struct process *p)
{
    fake_access(v, p->base + AT_HEAP, ACCESS_READ, NULL);
}
static void by_code_write(struct vcpu *v, const struct process *p)
{
    fake_access(v, p->base, ACCESS_WRITE, NULL);
}
static void by_null(struct vcpu *v, const struct process *p)
{
    (void)p, fake_access(v, 0, ACCESS_READ, NULL);
}
static void by_jump_to_0(struct vcpu *v, const struct process *p)
{
    (void)p;
    v->regs[REG_RIP] = 0;
    fake_fetch(v);
}
static void by_jump_to_data(struct vcpu *v, const struct process *p)
{
    v->regs[REG_RIP] = p->base + AT_DATA;
    fake_fetch(v);
}
static void by_int3(struct vcpu *v, const struct process *p)
{
    (void)p, fake_result = hypapp.exception(v, 3, 0);
}
static void by_fpu(struct vcpu *v, const struct process *p)
{
    (void)p, fake_result = hypapp.exception(v, 7, 0);
}
static void by_gp(struct vcpu *v, const struct process *p)
{
    (void)p, fake_result = hypapp.exception(v, 13, 8);
}

static void by_overrun(struct vcpu *v, const struct process *p)
{
    (void)p, fake_result = hypapp.overrun(v);
}

void test_kill(void)
{
    static void (*const ways[])(struct vcpu *, const struct process *) = {
        by_read, by_code_write, by_null, by_jump_to_0, by_jump_to_data, by_int3, by_fpu, by_gp, by_overrun};
    struct vcpu *vcpu = vcpu_of(1);
    struct process process;
    struct wish wish;

    for (enum mode mode = 0; mode < MODES; mode++) {
        for (unsigned i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
            struct snapshot *before;

            enter(&process, vcpu, mode);
            memset(guest_ram(process_gpa(&process, AT_DATA)), 0x55, PAGE_SIZE);
            for (unsigned r = REG_RAX; r <= REG_R15; r++)
                if (r != REG_RSP)
                    vcpu->regs[r] = mode == MODE_64 ? 0x5ec2e7 : vcpu->regs[r];
            vcpu->regs[REG_RIP] = process.base + AT_ENTRY;
            /* Without the machine nothing changes, and nothing is said. */
            fake.log[0] = 0;
            fake.lose_quiesce = true;
            before = i >= 5 ? snapshot_take(vcpu) : NULL; /* the others set RIP or CR2 as the CPU does */
            ways[i](vcpu, &process);
            CHECK(fake_result == HYPAPP_RETRY && vcpu->app == pal_at(0) && fake.log[0] == 0);
            CHECK(!before || snapshot_differs(before, vcpu) == NULL);
            ways[i](vcpu, &process);
            CHECK(fake_result == HYPAPP_DONE);
            check_caller(vcpu, &process);
            CHECK(gone(&process));
            CHECK(fake_log_count("warn: PAL 0 killed") == 1 && fake_log_count("at RIP 0x") == 1);
            if (mode == MODE_64)
                for (unsigned r = REG_RAX; r <= REG_R15; r++)
                    CHECK(vcpu->regs[r] != 0x5ec2e7);
            /* The slot and the pages serve again. */
            vcpu->event.pending = false;
            vcpu->regs[REG_RSP] = process.base + AT_USTACK_TOP;
            wish_default(&process, &wish);
            CHECK(reg(vcpu, &process, &wish) == TV_OK);
            CHECK(unreg(vcpu, &process) == TV_OK);
        }
    }
}

/* The kernel gives the page of a process that is gone to somebody else. */
void test_kill_for_kernel(void)
{
    static const enum access accesses[] = {ACCESS_READ, ACCESS_WRITE, ACCESS_EXEC};
    struct vcpu *vcpu = vcpu_of(0), *kernel = vcpu_of(2);
    struct process process;

    for (unsigned i = 0; i < 4; i++) {
        struct nested_fault fault = {.access = i < 3 ? accesses[i] : ACCESS_READ, .table_walk = i == 3};

        enter(&process, vcpu, MODE_64);
        ret(vcpu, &process);
        process_run(&process, kernel);
        kernel->regs[REG_CPL] = i == 3 ? 3 : 0; /* a user's table walk is the kernel's affair, too */
        kernel->regs[REG_RIP] = 0xffffffff81000000;
        fault.gpa = process_gpa(&process, AT_DATA) + 0x10;
        fake.lose_quiesce = true;
        CHECK(hypapp.nested_fault(kernel, &fault) == HYPAPP_RETRY && pal_at(0)->state == PAL_IDLE);
        CHECK(hypapp.nested_fault(kernel, &fault) == HYPAPP_DONE);
        CHECK(gone(&process) && !kernel->event.pending && fake.flushes == 2);
        CHECK(kernel->regs[REG_RIP] == 0xffffffff81000000);
        CHECK(fake_log_count("by the guest's kernel") == 1);
    }
    CHECK(hypapp.nested_fault(kernel, &(struct nested_fault){.gpa = LAPIC, .access = ACCESS_WRITE}) ==
          HYPAPP_PASS);
    CHECK(hypapp.exception(kernel, 13, 0) == HYPAPP_PASS);
}

/* The same while the PAL runs elsewhere: the kernel has the page at once, and the PAL's CPU finds out at its
 * next step. */
void test_condemn(void)
{
    struct vcpu *vcpu = vcpu_of(0), *kernel = vcpu_of(2);
    struct process process, other;
    struct wish wish;
    unsigned kills = 0;

    for (unsigned way = 0; way < 3; way++) {
        enter(&process, vcpu, MODE_64);
        process_run(&process, kernel);
        kernel->regs[REG_CPL] = 0;
        CHECK(fake_access(kernel, process.base + AT_DATA, ACCESS_WRITE, NULL) == STEP_NESTED);
        CHECK(fake_result == HYPAPP_DONE &&
              fake_access(kernel, process.base + AT_DATA, ACCESS_WRITE, NULL) == STEP_OK);
        CHECK(pal_at(0)->state == PAL_CONDEMNED && vcpu->app == pal_at(0));
        CHECK(kills_so_far() > 0 && (way == 0 || kills_so_far() == kills + 1)); /* once for each PAL */
        kills = kills_so_far();
        memset(guest_ram(process_gpa(&process, AT_DATA)), 0x77, PAGE_SIZE);

        /* The slot is not free yet, and has no name. */
        process_run(&process, kernel);
        CHECK(unreg(kernel, &process) == TV_FAILED);
        process_create(&other, MODE_64);
        process_run(&other, kernel);
        wish_default(&other, &wish);
        CHECK(reg(kernel, &other, &wish) == TV_OK && pal_at(1)->state == PAL_IDLE);
        CHECK(unreg(kernel, &other) == TV_OK);

        if (way == 2) { /* its CPU is reset before that */
            fake.resetting = true;
            quiesce_begin(vcpu);
            hypapp.cpu_reset(vcpu);
            quiesce_end(vcpu);
        } else {
            if (way == 1) /* it stood at the sentinel already: its result does not count any more */
                vcpu->regs[REG_RIP] = TV_SENTINEL;
            CHECK(fake_fetch(vcpu) == STEP_NESTED && fake_result == HYPAPP_DONE);
            check_caller(vcpu, &process);
        }
        CHECK(fake_log_count("the guest took its pages while it ran") == (way < 2));
        CHECK(fake_log_count(" killed, ") == 1);
        CHECK(pal_at(0)->state == PAL_FREE && pages_free() == POOL_PAGES);
        CHECK(((uint8_t *)guest_ram(process_gpa(&process, AT_DATA)))[0] ==
              0x77); /* not scrubbed a second time */
    }
}

void test_reset(void)
{
    struct vcpu *vcpu = vcpu_of(0);
    struct process process;

    enter(&process, vcpu, MODE_64);
    fake.resetting = true;
    quiesce_begin(vcpu);
    hypapp.cpu_reset(vcpu_of(1)); /* runs none */
    CHECK(pal_at(0)->state == PAL_RUNNING);
    hypapp.cpu_reset(vcpu);
    quiesce_end(vcpu);
    CHECK(gone(&process) && vcpu->app == NULL && vcpu->view == view_main() && !vcpu->exceptions &&
          !vcpu->nmi_held);
    CHECK(!vcpu->event.pending);
}

/* The machine is reset: what runs goes by cpu_reset, what is idle by machine_reset; nothing stays. */
void test_machine_reset(void)
{
    struct vcpu *vcpu = vcpu_of(0), *second = vcpu_of(1);
    struct process process, other;
    struct wish wish;

    enter(&process, vcpu, MODE_64);
    process_create(&other, MODE_32);
    process_run(&other, second);
    wish_default(&other, &wish);
    CHECK(reg(second, &other, &wish) == TV_OK && pal_at(1)->state == PAL_IDLE);
    fake.resetting = true;
    quiesce_begin(second);
    hypapp.cpu_reset(vcpu);
    hypapp.machine_reset();
    CHECK(gone(&process) && gone(&other) && pal_at(1)->state == PAL_FREE);
    CHECK(fake_log_count("1 idle PALs killed") == 1);
    hypapp.machine_reset(); /* nothing is left to say */
    CHECK(fake_log_count("the machine is reset") == 1);
    quiesce_end(second);
}

/* The guest's user may not look into a PAL, nor jump into its middle; the PAL does not mind. */
void test_user_access(void)
{
    struct vcpu *vcpu = vcpu_of(0);
    struct process process, other;

    for (enum mode mode = 0; mode < MODES; mode++) {
        enter(&process, vcpu, mode);
        ret(vcpu, &process);
        for (unsigned i = 0; i < 6; i++) {
            uint64_t offset = i == 1 ? AT_DATA : i == 2 ? AT_ENTRY + 1 : AT_ENTRY;
            enum access access = i == 0 ? ACCESS_READ : i == 1 ? ACCESS_WRITE : ACCESS_EXEC;

            process_run(&process, vcpu);
            if (i == 3) { /* another process has the page at the same place: it may not enter */
                process_create(&other, mode);
                process_map(&other, other.base, process_gpa(&process, AT_CODE), MAP_USER | MAP_WRITE);
                process_run(&other, vcpu);
            } else if (i == 4) { /* the same page at another address */
                offset = AT_NOTHING + AT_ENTRY;
                process_map(&process, process.base + AT_NOTHING, process_gpa(&process, AT_CODE),
                            MAP_USER | MAP_WRITE);
            } else if (i == 5) { /* another page of the PAL's at the entry */
                process_map(&process, process.base + AT_CODE, process_gpa(&process, AT_DATA),
                            MAP_USER | MAP_WRITE);
            }
            vcpu->regs[REG_RIP] = process.base + offset;
            CHECK(fake_access(vcpu, process.base + offset, access, NULL) == STEP_NESTED &&
                  fake_result == HYPAPP_DONE);
            CHECK(vcpu->event.pending && vcpu->event.vector == 13 && vcpu->event.error_code == 0);
            CHECK(vcpu->regs[REG_RIP] == process.base + offset && pal_at(0)->state == PAL_IDLE && !vcpu->app);
            vcpu->event.pending = false;
        }
    }
}

/* The buffer is gone when the PAL returns: the caller gets a fault behind the call, the PAL lives. */
void test_result_lost(void)
{
    struct vcpu *vcpu = vcpu_of(0);
    struct process process;
    struct wish wish;

    process_create(&process, MODE_64);
    process_run(&process, vcpu);
    wish_default(&process, &wish);
    wish.params[0] = (struct tv_param){TV_POINTER, 0, 2};
    CHECK(reg(vcpu, &process, &wish) == TV_OK);
    call(vcpu, &process, (uint64_t[]){process.base + AT_HEAP}, 1);
    CHECK(vcpu->app == pal_at(0));
    process_unmap(&process, process.base + AT_HEAP);
    ret(vcpu, &process);
    CHECK(vcpu->app == NULL && vcpu->event.pending && vcpu->event.vector == 13);
    CHECK(vcpu->regs[REG_RIP] == return_address(&process) && pal_at(0)->state == PAL_IDLE);
    CHECK(fake_log_count("cannot be written") == 1);
    CHECK(unreg(vcpu, &process) == TV_OK);
}
