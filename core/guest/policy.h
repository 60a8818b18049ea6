/* What the guest may not have, or not untouched: MSRs, ports and CPUID bits, and what it gets instead. */
#ifndef CORE_GUEST_POLICY_H
#define CORE_GUEST_POLICY_H

#include "core/vcpu.h"

struct trapped_msr {
    uint32_t first, last;
    bool read, write;
};
/* The i-th range of MSRs whose accesses exit; NULL behind the last. */
const struct trapped_msr *policy_msr(unsigned i);

/* Which ports exit, apart from those of the A20 gate (io.c). */
struct policy_ports {
    uint16_t uart;                       /* the log's */
    uint16_t pm1a_control, pm1b_control; /* ACPI power control; 0: none */
    uint8_t s5_type;                     /* SLP_TYP of power-off */
};
void policy_set_ports(const struct policy_ports *ports);
bool policy_port_trapped(uint16_t port);

/* Exit handlers (exit.c's table). */
void policy_cpuid(struct vcpu *vcpu, const struct exit *exit);
void policy_msr_read(struct vcpu *vcpu, const struct exit *exit);
void policy_msr_write(struct vcpu *vcpu, const struct exit *exit);
void policy_io(struct vcpu *vcpu, const struct exit *exit);

#endif
