/* Compiled to assembly only: core.mk turns its "->NAME value" lines into offsets.inc, so that no offset is
 * typed twice. */
#include "core/cpu.h"

#define OFFSET(name, type, member) __asm__ volatile("\n->" #name " %c0" ::"i"(offsetof(type, member)))

void offsets(void);
void offsets(void)
{
    OFFSET(VCPU_GPR, struct vcpu, gpr);
    OFFSET(VCPU_NMIS_AT_CLOSE, struct vcpu, nmis_at_close);
    OFFSET(VCPU_LAUNCHED, struct vcpu, launched);
    OFFSET(CPU_SELF, struct cpu, self);
    OFFSET(CPU_VCPU, struct cpu, vcpu);
    OFFSET(CPU_NMI_SEEN, struct cpu, nmi_seen);
}
