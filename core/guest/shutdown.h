/* The end of the machine, at the guest's wish or by its triple fault. */
#ifndef CORE_GUEST_SHUTDOWN_H
#define CORE_GUEST_SHUTDOWN_H

#include "core/vcpu.h"

/* Takes back what every CPU runs for the hypapp and all that it holds, drains the log and resets the machine.
 * Normal context. Its waits are quiesce.h's, log_drain's and clock_delay_us's: each has a deadline, and a
 * quiesce that passes its own reports who does not stop. Returns only where no reset works. */
void shutdown_reset(struct vcpu *vcpu);

#endif
