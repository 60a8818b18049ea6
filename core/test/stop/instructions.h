/* Included in front of the shipped VMX backend (build.sh): what it executes that a process may not is the
 * machine's. */
#ifndef CORE_TEST_STOP_INSTRUCTIONS_H
#define CORE_TEST_STOP_INSTRUCTIONS_H

#include "core/vmx/vmcs.h"
#include "core/x86/asm.h"

uint64_t machine_vmread(enum vmcs_field field);
void machine_vmwrite(enum vmcs_field field, uint64_t value);
void machine_int_nmi(void);

#define vmread           machine_vmread
#define vmwrite          machine_vmwrite
#define int_nmi          machine_int_nmi
#define rdmsr(msr)       ((void)(msr), (uint64_t)0)
#define write_cr2(value) ((void)(value))
#define write_dr6(value) ((void)(value))

#endif
