/* main A B: adds two numbers without and with a PAL. The PAL returns A + *b, and leaves *b one higher. */
#include <stdio.h>
#include <string.h>
#include "../lib/tv.h"
#include "programs.h"

TV_PAL_CODE(main) static uintptr_t add(uintptr_t a, uintptr_t *b, uintptr_t *slot)
{
    *slot = tv_slot();
    uintptr_t sum = a + *b;
    *b += 1;
    return sum;
}
TV_PAL_IMAGE(main);

/* Says what one run computed, and whether that and the place it ran in are right. */
static int judge(const char *where, uintptr_t a, uintptr_t b, uintptr_t sum, uintptr_t b_after,
                 uintptr_t slot, int in_pal)
{
    int sum_ok = sum == a + b && b_after == b + 1;
    int place_ok = in_pal ? slot < TV_NOT_IN_PAL - 1 : slot >= TV_NOT_IN_PAL - 1;

    printf("%s: add(%#zx, %#zx) = %#zx, then *b = %#zx, ", where, (size_t)a, (size_t)b, (size_t)sum,
           (size_t)b_after);
    if (slot < TV_NOT_IN_PAL - 1)
        printf("in PAL slot %zu", (size_t)slot);
    else
        printf(slot == TV_NOT_IN_PAL ? "not in a PAL" : "no TrustVisor");
    printf(sum_ok && place_ok ? "\n" : sum_ok ? "  <- WRONG PLACE\n" : "  <- WRONG\n");
    return sum_ok && place_ok;
}

static int with_pal(uintptr_t a, uintptr_t b)
{
    struct tv_pal pal;
    int error = tv_pal_create(&pal, TV_PAL(main, add), (struct tv_pages){.stack = 1, .param = 1});
    if (error) {
        fprintf(stderr, "cannot prepare the PAL's pages: %s\n", strerror(-error));
        return 0;
    }
    tv_pal_param(&pal, TV_PARAM_INTEGER, 0);
    tv_pal_param(&pal, TV_PARAM_POINTER, 1);
    tv_pal_param(&pal, TV_PARAM_POINTER, 1);

    uintptr_t result = tv_pal_register(&pal);
    if (result) {
        fprintf(stderr, "REG = %#zx: the PAL was refused; the hypervisor's log says why\n", (size_t)result);
        return 0;
    }
    uintptr_t b_after = b, slot = TV_NOT_IN_PAL;
    uintptr_t sum = TV_PAL_CALL(&pal, add)(a, &b_after, &slot);
    int ok = judge("With PAL", a, b, sum, b_after, slot, 1);

    result = tv_pal_unregister(&pal);
    if (result) {
        fprintf(stderr, "UNREG = %#zx: the PAL is not known any more\n", (size_t)result);
        return 0;
    }
    tv_pal_destroy(&pal);
    return ok;
}

int main_program(int argc, char **argv)
{
    unsigned long long a, b;
    if (argc != 3) {
        fprintf(stderr, "usage: %s A B: adds the two without and with a PAL\n", argv[0]);
        return STATUS_USAGE;
    }
    if (parse_number(argv[1], "A", &a) || parse_number(argv[2], "B", &b))
        return STATUS_USAGE;

    uintptr_t b_after = (uintptr_t)b, slot;
    uintptr_t sum = add((uintptr_t)a, &b_after, &slot);
    int ok = judge("Without PAL", (uintptr_t)a, (uintptr_t)b, sum, b_after, slot, 0);

    if (tv_require())
        return STATUS_FAIL;
    ok &= with_pal((uintptr_t)a, (uintptr_t)b);
    puts(ok ? "PASS" : "FAIL");
    return ok ? STATUS_PASS : STATUS_FAIL;
}
