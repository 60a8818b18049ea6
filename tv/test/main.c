/* Runs all tests of tv/ on the fake core. An argument names the tests to run, by a part of their names. */
#include <stdlib.h>
#include <string.h>
#include "tv/test/test.h"

unsigned failed_checks;
const char *test_note = "";

struct snapshot {
    struct vcpu vcpu;
    struct view views[sizeof(fake.views) / sizeof(*fake.views)];
    bool pool_used[POOL_PAGES];
    struct pal slots[PAL_SLOTS];
    uint8_t ram[RAM_PAGES * PAGE_SIZE];
};

struct snapshot *snapshot_take(const struct vcpu *vcpu)
{
    struct snapshot *snapshot = malloc(sizeof(*snapshot));

    if (!snapshot)
        exit(2);
    memcpy(&snapshot->vcpu, vcpu, sizeof(*vcpu));
    memcpy(snapshot->views, fake.views, sizeof(fake.views));
    memcpy(snapshot->pool_used, fake.pool_used, sizeof(fake.pool_used));
    memcpy(snapshot->slots, pal_at(0), sizeof(snapshot->slots));
    memcpy(snapshot->ram, fake.ram, sizeof(snapshot->ram));
    return snapshot;
}

/* What a free view holds does not count. Tables that a view was split into are the pool's. */
static bool views_differ(const struct view *then, const struct view *now)
{
    return then->used != now->used || (now->used && (memcmp(then->ram, now->ram, sizeof(now->ram)) ||
                                                     memcmp(then->pool, now->pool, sizeof(now->pool))));
}

const char *snapshot_differs(struct snapshot *snapshot, const struct vcpu *vcpu)
{
    const char *what = NULL;

    snapshot->vcpu.regs[REG_RAX] = vcpu->regs[REG_RAX];
    if (memcmp(&snapshot->vcpu, vcpu, sizeof(*vcpu)))
        what = "vcpu";
    for (unsigned i = 0; i < sizeof(fake.views) / sizeof(*fake.views); i++)
        if (views_differ(&snapshot->views[i], &fake.views[i]))
            what = "views";
    if (memcmp(snapshot->pool_used, fake.pool_used, sizeof(fake.pool_used)))
        what = "pool";
    if (memcmp(snapshot->slots, pal_at(0), sizeof(snapshot->slots)))
        what = "slots";
    if (memcmp(snapshot->ram, fake.ram, sizeof(snapshot->ram)))
        what = "guest RAM";
    free(snapshot);
    return what;
}

#define TEST(name)                                                                                           \
    {                                                                                                        \
#name, name                                                                                          \
    }
static const struct {
    const char *name;
    void (*run)(void);
} tests[] = {
    TEST(test_register_rows),
    TEST(test_register_good),
    TEST(test_register_large_page),
    TEST(test_register_namesake),
    TEST(test_register_slots),
    TEST(test_register_pool),
    TEST(test_retry),
    TEST(test_unregister),
    TEST(test_ranges),
    TEST(test_misc_calls),
    TEST(test_call),
    TEST(test_call_context),
    TEST(test_call_private_copies),
    TEST(test_call_pcid),
    TEST(test_call_refused),
    TEST(test_call_demand),
    TEST(test_call_busy),
    TEST(test_page_tables),
    TEST(test_kill),
    TEST(test_kill_for_kernel),
    TEST(test_condemn),
    TEST(test_reset),
    TEST(test_machine_reset),
    TEST(test_user_access),
    TEST(test_result_lost),
    TEST(test_limit),
};

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;

    for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
        if (argc > 1 && !strstr(tests[i].name, argv[1]))
            continue;
        failed_checks = 0;
        test_note = tests[i].name;
        fake_reset();
        tests[i].run();
        test_note = "rules of hypapp.h";
        CHECK(fake.misuse == 0);
        CHECK(fake.quiescer == NULL);
        printf("%s %s\n", failed_checks ? "FAIL" : "ok  ", tests[i].name);
        *(failed_checks ? &failed : &passed) += 1;
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed ? 1 : 0;
}
