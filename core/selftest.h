/*
 * Hypercalls for Braid's own tests, off unless the boot option test=on is given. Numbers 0x4252xxxx ("BR"),
 * outside TrustVisor's range.
 *
 *   1   quiesce: stops and releases the machine ECX times, at most 1000, and holds it EDX ticks (at most a
 *       million); RAX = how often it did
 *   2   counter ECX: 0 quiesces, 1 exits, 2 guest NMIs sent through the ICR, 3 injected, 4 from unknown
 *       sources, 5 log frames, 6 log records, 7 pages free
 *   3   ECX = 1: who parks for a stop spins from now on; 0: halts, as it should
 *   16  breaks the hypervisor: ECX = enum way
 *   17  stops a CPU for good: ECX = where (enum stall), EDX = CPU; where it is only armed, RAX = 0
 */
#ifndef CORE_SELFTEST_H
#define CORE_SELFTEST_H

#include "core/vcpu.h"

enum way {
    WAY_STACK, /* overflows this CPU's normal stack */
    WAY_GUARD_PAGE,
    WAY_UD,
    WAY_BUSY, /* does not park for 5 s, then goes on */
    WAY_GP,
    WAY_MC,    /* INT 18: the handler's way; a real one by an emulator's monitor */
    WAY_ENTRY, /* a guest state that VM entry refuses */
    WAY_NMI_STACK,
    WAY_DF_STACK,
    WAY_MC_STACK,
    WAY_CODE, /* writes to the hypervisor's code */
};

extern bool selftest_on;
bool selftest_is_ours(uint32_t number);
enum hypapp_result selftest_hypercall(struct vcpu *vcpu);
/* From each trap's handler: overflows its stack, if that was asked for. */
void selftest_trap(uint64_t vector);

#endif
