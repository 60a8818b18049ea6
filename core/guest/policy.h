/* What the guest may not have, or not untouched: MSRs, ports and CPUID bits, and what it gets instead. */
#ifndef CORE_GUEST_POLICY_H
#define CORE_GUEST_POLICY_H

#include "core/vcpu.h"

struct trapped_msr {
    uint32_t number;
    bool read, write;
};
/* The i-th MSR whose accesses exit; NULL behind the last. */
const struct trapped_msr *policy_msr(unsigned i);

/* Ports that exit: the log's UART, and the ACPI power control, so that the log is whole before the power goes. */
void policy_set_ports(uint16_t uart, uint16_t pm1a_control);
bool policy_port_trapped(uint16_t port);

/* Exit handlers (exit.c's table). */
void policy_cpuid(struct vcpu *vcpu, const struct exit *exit);
void policy_msr_read(struct vcpu *vcpu, const struct exit *exit);
void policy_msr_write(struct vcpu *vcpu, const struct exit *exit);
void policy_io(struct vcpu *vcpu, const struct exit *exit);

#endif
