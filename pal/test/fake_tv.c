/* See fake_tv.h. */
#include <string.h>
#include <sys/mman.h>
#include "../lib/tv.h"
#include "fake_tv.h"

enum fake_fault fake_fault;
int fake_registered;

static const struct tv_sections *lent;

int tv_present(void)
{
    return 1;
}

int tv_require(void)
{
    return 0;
}

static void spoil(uintptr_t entry) /* the PAL returns 0 at once */
{
    static const unsigned char return_0[] = {0x31, 0xc0, 0xc3};
    memcpy((void *)entry, return_0, sizeof return_0);
}

uintptr_t tv_call(uint32_t number, uintptr_t ecx, uintptr_t edx, uintptr_t esi, uintptr_t edi)
{
    (void)edx;
    (void)esi;
    if (number == TV_CALL_REG && fake_fault != FAKE_REFUSES_REG) {
        lent = (const struct tv_sections *)ecx;
        fake_registered++;
        if (fake_fault == FAKE_SPOILS_CODE)
            spoil(edi);
        return 0;
    }
    if (number == TV_CALL_UNREG && fake_fault != FAKE_REFUSES_UNREG && fake_registered) {
        for (uint32_t i = 0; i < lent->num_sections; i++)
            if (lent->sections[i].type != TV_SECTION_CODE)
                memset((void *)(uintptr_t)lent->sections[i].start_addr, 0,
                       (size_t)lent->sections[i].page_num * TV_PAGE);
        fake_registered--;
        return 0;
    }
    return 1;
}
