/* test N: the simplest hypercall there is. */
#include <stdio.h>
#include "../lib/tv.h"
#include "programs.h"

int test_program(int argc, char **argv)
{
    unsigned long long n;
    if (argc != 2) {
        fprintf(stderr, "usage: %s N: calls TEST with N, which TrustVisor logs and answers with 0\n",
                argv[0]);
        return STATUS_USAGE;
    }
    if (parse_number(argv[1], "N", &n))
        return STATUS_USAGE;
    if (tv_require())
        return STATUS_FAIL;
    uintptr_t result = tv_call(TV_CALL_TEST, (uintptr_t)n, 0, 0, 0);
    printf("%zu = TEST(%#zx)\n", (size_t)result, (size_t)(uintptr_t)n);
    return result == 0 ? STATUS_PASS : STATUS_FAIL;
}
