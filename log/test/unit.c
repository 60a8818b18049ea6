/* Runs the unit tests; the last line is `N passed, N failed`. */
#include <stddef.h>
#include "log/test/check.h"
#include "log/test/tests.h"

unsigned check_passed, check_failed;
bool check_ok;

#define TABLE_ENTRY(test) {#test, test},

static const struct {
    const char *name;
    void (*run)(void);
} tests[] = {TESTS(TABLE_ENTRY)};

int main(void)
{
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        check_ok = true;
        tests[i].run();
        printf("%s %s\n", check_ok ? "ok  " : "FAIL", tests[i].name);
        if (check_ok)
            check_passed++;
        else
            check_failed++;
    }
    printf("%u passed, %u failed\n", check_passed, check_failed);
    return check_failed != 0;
}
