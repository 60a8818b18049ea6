/*
 * The guest's local APIC: the real one, whose page is read-only in the main view. Every write faults and is
 * done here; all but these are passed on.
 *
 *   ICR, delivery mode NMI   sets the targets' guest_nmi and rings: conserved exactly, whatever doorbells do
 *   ICR, INIT and SIPI       emulated (guest/start.c); a physical INIT would end the hypervisor on that CPU
 *   ICR high                 shadowed, and written together with ICR low: the hypervisor's doorbells use the
 *                            same register
 *   LVT, delivery mode INIT  dropped, like what lies below the ID register and the ID itself
 *   LDR, DFR                 passed on and remembered, to know whom a logical destination means
 */
#ifndef CORE_GUEST_LAPIC_H
#define CORE_GUEST_LAPIC_H

#include "core/vcpu.h"

/* A write fault in the local APIC's page. Normal context. */
void lapic_write_fault(struct vcpu *vcpu, const struct exit *exit);
/* What INIT does to a local APIC (SDM vol. 3, 10.4.7.3): it keeps its ID and is disabled, with nothing armed
 * or in service. On the CPU itself. */
void lapic_reset(struct vcpu *vcpu);
/* The shadows start with what the hardware has. On the CPU itself. */
void lapic_start(struct vcpu *vcpu);

#endif
