/* See cpu.h. */
#include "core/cpu.h"

struct cpu cpus[MAX_CPUS];
unsigned cpu_count;

const char *cpu_phase_name(enum cpu_phase phase)
{
    switch (phase) {
    case PHASE_BOOT:
        return "boot";
    case PHASE_GUEST:
        return "guest";
    case PHASE_ISOLATED:
        return "isolated guest";
    case PHASE_EXIT:
        return "exit";
    case PHASE_BOUNDARY:
        return "boundary";
    case PHASE_PARKED:
        return "parked";
    case PHASE_WAIT_SIPI:
        return "wait-for-SIPI";
    case PHASE_QUIESCING:
        return "quiescing";
    case PHASE_OWNER:
        return "owner";
    case PHASE_PANIC:
        return "panic";
    }
    return "?";
}
