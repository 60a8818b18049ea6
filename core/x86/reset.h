/* A CPU's registers after INIT (SDM vol. 3, table 10-1; APM vol. 2, table 14-1), for both backends. */
#ifndef CORE_X86_RESET_H
#define CORE_X86_RESET_H

#include "core/x86/asm.h"

enum {
    RESET_CS_SELECTOR = 0xF000,
    ATTR_CODE = 0x9B,
    ATTR_DATA = 0x93,
    ATTR_LDT = 0x82,
    ATTR_TSS = 0x8B,
    ATTR_FLAT32 = 0xC00, /* G, D/B */
    RESET_DR7 = 0x400
};
#define RESET_CR0 (CR0_NW | CR0_CD | CR0_ET)
#define RESET_DR6 0xFFFF0FF0u
#define RESET_PAT 0x0007040600070406ull

#endif
