/* The test frame: each TEST is counted, CHECK notes where it fails and goes on. */
#ifndef TV_TEST_TEST_H
#define TV_TEST_TEST_H

#include <stdio.h>
#include "tv/pal.h"
#include "tv/test/fake.h"
#include "tv/test/process.h"

extern unsigned failed_checks;
extern const char *test_note; /* what the test is at, for the report */

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            failed_checks++;                                                                                 \
            printf("%s:%d: [%s] not: %s\n", __FILE__, __LINE__, test_note, #condition);                      \
        }                                                                                                    \
    } while (0)

/* All that a refused call must leave as it was. */
struct snapshot;
struct snapshot *snapshot_take(const struct vcpu *vcpu);
/* The first thing that differs, or NULL; frees it. RAX may differ. */
const char *snapshot_differs(struct snapshot *snapshot, const struct vcpu *vcpu);

void test_register_rows(void);
void test_register_good(void);
void test_register_large_page(void);
void test_register_namesake(void);
void test_register_slots(void);
void test_register_pool(void);
void test_retry(void);
void test_unregister(void);
void test_ranges(void);
void test_misc_calls(void);
void test_call(void);
void test_call_context(void);
void test_call_private_copies(void);
void test_call_pcid(void);
void test_call_refused(void);
void test_call_demand(void);
void test_call_busy(void);
void test_page_tables(void);
void test_kill(void);
void test_kill_for_kernel(void);
void test_condemn(void);
void test_reset(void);
void test_machine_reset(void);
void test_user_access(void);
void test_result_lost(void);
void test_limit(void);

#endif
