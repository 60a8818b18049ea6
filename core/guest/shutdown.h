/* The end of the machine, at the guest's wish or by its triple fault. */
#ifndef CORE_GUEST_SHUTDOWN_H
#define CORE_GUEST_SHUTDOWN_H

#include "core/vcpu.h"

/* Takes back what every CPU runs for the hypapp, drains the log and resets the machine. Normal context.
 * Returns only where no reset works. */
void shutdown_reset(struct vcpu *vcpu);

#endif
