/* The PAL that the checks abuse; see check.h. */
#include <string.h>
#include "check.h"

TV_PAL_IMAGE(worker);
TV_PAL_CODE(worker) static uintptr_t worker(uintptr_t what, uintptr_t argument, uintptr_t *buffer)
{
    uintptr_t *data = TV_PAL_DATA(worker);
    uintptr_t old;

    switch ((enum work)what) {
    case WORK_STORE:
        data[0] = argument;
        return 0;
    case WORK_LOAD:
        return data[0];
    case WORK_CALL:
        return tv_vmcall((uint32_t)argument, data[1], 0, data[2], data[3]);
    case WORK_CPUID:
        return tv_slot();
    case WORK_STALL:
        tv_vmcall(BRAID_CALL_STALL, argument, 0, 0, 0);
        for (;;)
            __asm__ volatile("pause");
    case WORK_SPIN:
        while (argument--)
            __asm__ volatile("pause");
        argument = 1;
        break;
    case WORK_ADD:
        break;
    }
    old = *buffer;
    *buffer += argument;
    return old;
}

/* Would return in peace, if TrustVisor let anybody in here. */
TV_PAL_CODE(worker) static uintptr_t inner(void)
{
    return 0;
}

uintptr_t inner_of(const struct tv_pal *pal)
{
    return pal->entry - (uintptr_t)worker + (uintptr_t)inner;
}

uintptr_t work(const struct tv_pal *pal, enum work what, uintptr_t argument, uintptr_t *buffer)
{
    uintptr_t nothing = 0;
    return TV_PAL_CALL(pal, worker)(what, argument, buffer ? buffer : &nothing);
}

bool worker_create(struct tv_pal *pal)
{
    int error =
        tv_pal_create(pal, TV_PAL(worker, worker), (struct tv_pages){.data = 1, .stack = 1, .param = 1});
    EXPECT(!error, "cannot prepare the PAL's pages: %s", strerror(-error));
    tv_pal_param(pal, TV_PARAM_INTEGER, 0);
    tv_pal_param(pal, TV_PARAM_INTEGER, 0);
    tv_pal_param(pal, TV_PARAM_POINTER, 1);
    return true;
}

bool worker_register(struct tv_pal *pal)
{
    if (!worker_create(pal))
        return false;
    uintptr_t result = tv_pal_register(pal);
    EXPECT(result == 0, "a good PAL was refused: REG = %#zx", (size_t)result);
    return true;
}

bool worker_works(struct tv_pal *pal)
{
    uintptr_t buffer = 40, old = 0;
    int signal = CAUGHT({ old = work(pal, WORK_ADD, 2, &buffer); });
    EXPECT(!signal, "the call ended with %s", strsignal(signal));
    EXPECT(old == 40 && buffer == 42, "the PAL returned %#zx and left %#zx, not 40 and 42", (size_t)old,
           (size_t)buffer);
    return true;
}

bool machine_goes_on(void)
{
    struct tv_pal pal;
    if (!worker_register(&pal) || !worker_works(&pal))
        return false;
    uintptr_t result = tv_pal_unregister(&pal);
    EXPECT(result == 0, "a good PAL was not unregistered: UNREG = %#zx", (size_t)result);
    tv_pal_destroy(&pal);
    return true;
}

struct tv_section *section_of(struct tv_pal *pal, enum tv_section_type type)
{
    for (uint32_t i = 0; i < pal->sections.num_sections; i++)
        if (pal->sections.sections[i].type == type)
            return &pal->sections.sections[i];
    return NULL;
}

volatile unsigned char *page_of(struct tv_pal *pal, enum tv_section_type type)
{
    return (volatile unsigned char *)(uintptr_t)section_of(pal, type)->start_addr;
}

bool is_scrubbed(struct tv_pal *pal)
{
    for (size_t i = pal->code_bytes; i < pal->bytes; i++)
        if (pal->memory[i])
            return false;
    return true;
}
