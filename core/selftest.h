/*
 * Hypercalls for Braid's own tests, off unless the boot option test=on is given. Numbers 0x4252xxxx ("BR"),
 * outside TrustVisor's range.
 *
 *   1   quiesce: stops and releases the machine ECX times, at most 1000; RAX = how often it did
 *   2   counter ECX: 0 quiesces, 1 exits, 2 guest NMIs sent through the ICR, 3 injected, 4 from unknown
 *       sources, 5 log frames, 6 log records, 7 pages free
 *   16  breaks the hypervisor: ECX = 0 stack overflow, 1 page fault, 2 #UD, 3 a CPU that does not park for 5 s
 *   17  stops a CPU for good: ECX = where (enum stall), EDX = CPU; where it is only armed, RAX = 0
 */
#ifndef CORE_SELFTEST_H
#define CORE_SELFTEST_H

#include "core/vcpu.h"

extern bool selftest_on;
bool selftest_is_ours(uint32_t number);
enum hypapp_result selftest_hypercall(struct vcpu *vcpu);

#endif
