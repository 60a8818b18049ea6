/* Lines that a program can cause as often as it likes have a limit; those that tell of a PAL have none. */
#include "tv/test/test.h"

void test_limit(void)
{
    struct vcpu *vcpu = vcpu_of(0);
    struct process process;
    struct wish wish, bad;

    process_create(&process, MODE_64);
    process_run(&process, vcpu);
    wish_default(&process, &wish);
    wish.params[0] = (struct tv_param){TV_POINTER, 0, 2};
    fake.limit_reached = true;

    bad = wish;
    bad.section_count = 0;
    CHECK(reg(vcpu, &process, &bad) == TV_FAILED);
    bad = wish;
    bad.sections[0].start = process.base + AT_READONLY; /* and the entry is elsewhere */
    CHECK(reg(vcpu, &process, &bad) == TV_FAILED);
    bad.entry = bad.sections[0].start;
    CHECK(reg(vcpu, &process, &bad) == TV_FAILED);
    bad = wish;
    bad.sections[1].start = process.base + AT_HOLE;
    bad.sections[1].pages = 1;
    CHECK(reg(vcpu, &process, &bad) == TV_FAILED);
    fake.fail_in = 1;
    CHECK(reg(vcpu, &process, &wish) == TV_FAILED);
    CHECK(unreg(vcpu, &process) == TV_FAILED);
    CHECK(hypercall(vcpu, 5, 0) == TV_FAILED);
    CHECK(fake.log[0] == 0);

    CHECK(reg(vcpu, &process, &wish) == TV_OK);
    CHECK(fake_log_count("REG PAL 0") == 1);
    fake.log[0] = 0;
    CHECK(reg(vcpu, &process, &wish) == TV_FAILED);
    CHECK(fake_access(vcpu, process.base + AT_DATA, ACCESS_READ, NULL) == STEP_NESTED);
    vcpu->event.pending = false;
    vcpu->regs[REG_RFLAGS] &= ~(uint64_t)RFLAGS_IF;
    call(vcpu, &process, (uint64_t[]){process.base + AT_HEAP}, 1);
    CHECK(vcpu->event.pending && vcpu->app == NULL);
    process_run(&process, vcpu);
    vcpu->event.pending = false;
    call(vcpu, &process, (uint64_t[]){process.base + AT_DATA}, 1);
    CHECK(vcpu->event.pending && vcpu->app == NULL);
    process_run(&process, vcpu);
    vcpu->event.pending = false;
    call(vcpu, &process, (uint64_t[]){process.base + AT_HEAP}, 1);
    CHECK(vcpu->app == pal_at(0) && unreg(vcpu, &process) == TV_FAILED);
    process_unmap(&process, process.base + AT_HEAP);
    ret(vcpu, &process);
    CHECK(vcpu->event.pending && vcpu->app == NULL);
    CHECK(fake_log_count("warn:") == 0 && fake_log_count("info:") == 0);

    CHECK(unreg(vcpu, &process) == TV_OK && fake_log_count("info: UNREG PAL 0") == 1);
    CHECK(hypercall(vcpu, TV_TEST, 1) == TV_OK && fake_log_count("info: TEST 0x1") == 1);
}
