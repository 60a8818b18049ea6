/* What an exception of the hypervisor's own says about its cause. */
#ifndef CORE_X86_FAULT_H
#define CORE_X86_FAULT_H

#include "core/x86/trap.h"

/* To the log: the error code and the registers in words, as far as the cause can be told. Panic context. */
void fault_explain(const struct trap_frame *frame, uint64_t cr2);

#endif
