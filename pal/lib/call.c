/* Is TrustVisor there, and how to call it; see tv.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tv.h"

int tv_present(void)
{
    return tv_cpuid(TV_CPUID_LEAF, 0).eax == TV_CPUID_ANSWER;
}

int tv_require(void)
{
    if (tv_present())
        return 0;
    fprintf(stderr, "no TrustVisor here: CPUID leaf 0x%x is not answered; run this in a guest of Braid\n",
            TV_CPUID_LEAF);
    return 1;
}

static int cpu_is_amd(void)
{
    struct tv_cpuid r = tv_cpuid(0, 0);
    return r.ebx == 0x68747541 || r.ebx == 0x6f677948; /* "Auth"enticAMD, "Hygo"nGenuine */
}

static int use_vmmcall(void)
{
    const char *wish = getenv("TV_INSTRUCTION");
    if (!wish || !strcmp(wish, "vmcall"))
        return 0;
    if (!strcmp(wish, "vmmcall"))
        return 1;
    if (!strcmp(wish, "cpu"))
        return cpu_is_amd();
    fprintf(stderr, "TV_INSTRUCTION=%s: use vmcall, vmmcall or cpu; vmcall it is\n", wish);
    setenv("TV_INSTRUCTION", "vmcall", 1);
    return 0;
}

uintptr_t tv_call(uint32_t number, uintptr_t ecx, uintptr_t edx, uintptr_t esi, uintptr_t edi)
{
    return use_vmmcall() ? tv_vmmcall(number, ecx, edx, esi, edi) : tv_vmcall(number, ecx, edx, esi, edi);
}
