/* Hypercalls: both instructions, both privilege levels, good numbers and bad ones. */
#include "pal/bare/bare.h"
#include "pal/lib/abi.h"

CODE(do_vmcall, "vmcall");
CODE(do_vmmcall, "vmmcall");
__asm__(".globl own_call");
CODE(own_call, "vmcall"); /* main() makes it the vendor's own */

#define NOBODYS 0x42529999
#define UPPER   0xFFFFFFFF00000000
#define WILD    0x00007FFFFFFFF000
#define INVALID 0x8000000000000000

static const struct test list[] = {
    {"test_vmcall", do_vmcall, .rax = TV_CALL_TEST, .rcx = 0x1234},
    {"test_vmcall_user", do_vmcall, .rax = TV_CALL_TEST, .rcx = 0x1234, .user = true},
    {"test_vmmcall", do_vmmcall, .rax = TV_CALL_TEST, .rcx = 0x1234},
    {"test_vmmcall_user", do_vmmcall, .rax = TV_CALL_TEST, .rcx = 0x1234, .user = true},
    {"test_upper_half", own_call, .rax = UPPER | TV_CALL_TEST, .rcx = 1},
    {"call_0", own_call},
    {"call_nobodys", own_call, .rax = NOBODYS, .user = true},
    {"call_tpm", own_call, .rax = 11, .user = true},
    {"quiesce", own_call, .rax = BRAID_CALL_QUIESCE, .rcx = 3},
    {"quiesce_none", own_call, .rax = BRAID_CALL_QUIESCE},
    {"nmis_sent", own_call, .rax = BRAID_CALL_COUNTER, .rcx = BRAID_NMIS_SENT},
    {"nmis_injected", own_call, .rax = BRAID_CALL_COUNTER, .rcx = BRAID_NMIS_INJECTED},
    {"counter_wild", own_call, .rax = BRAID_CALL_COUNTER, .rcx = 99},

    {"unreg_nothing", own_call, .rax = TV_CALL_UNREG, .rcx = 0x1234, .user = true},
    {"reg_null", own_call, .rax = TV_CALL_REG, .user = true},
    {"reg_hidden", own_call, .rax = TV_CALL_REG, .rcx = HIDDEN, .rsi = HIDDEN, .rdi = HIDDEN, .user = true},
    {"reg_unmapped", own_call, .rax = TV_CALL_REG, .rcx = WILD, .rsi = WILD, .rdi = WILD, .user = true},
    {"reg_noncanonical", own_call, .rax = TV_CALL_REG, .rcx = INVALID, .rsi = INVALID, .rdi = INVALID,
     .user = true},
};
const struct tests call_tests = {list, COUNT(list)};
