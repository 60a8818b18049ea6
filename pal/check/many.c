/*
 * many [CASE]: as many PALs at once as there are slots. Each works beside the others, one more is refused, and
 * when they are gone there is room again.
 */
#include "../programs/programs.h"
#include "check.h"

enum { SLOTS = 100 };

static bool all_slots(void)
{
    static struct tv_pal pals[SLOTS], more;
    for (unsigned i = 0; i < SLOTS; i++)
        if (!worker_register(&pals[i]))
            return false;
    for (unsigned i = 0; i < SLOTS; i++)
        work(&pals[i], WORK_STORE, i, NULL);
    for (unsigned i = 0; i < SLOTS; i++) {
        uintptr_t kept = work(&pals[i], WORK_LOAD, 0, NULL);
        EXPECT(kept == i, "PAL %u kept %#zx", i, (size_t)kept);
    }
    if (!worker_create(&more))
        return false;
    EXPECT(tv_pal_register(&more) != 0, "PAL %u was not refused", SLOTS + 1);
    for (unsigned i = 0; i < SLOTS; i++) {
        uintptr_t result = tv_pal_unregister(&pals[i]);
        EXPECT(result == 0, "UNREG of PAL %u = %#zx", i, (size_t)result);
    }
    return machine_goes_on();
}

int many_program(int argc, char **argv)
{
    static const struct check checks[] = {CASE(all_slots)};
    return check_main(argc, argv, checks, sizeof checks / sizeof checks[0]);
}
