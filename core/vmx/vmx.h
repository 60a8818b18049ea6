/*
 * What the files of the VMX backend share. A CPU's VMCS is current on that CPU from boot on, so no other CPU
 * can read or write a vcpu's registers that are not in struct vcpu: neither does, by vcpu.h's rule.
 *
 * NMIs. SVM holds them between close and open; VMX cannot. close samples how many were taken; enter.asm
 * compares behind everything else, and the host's NMI handler moves a RIP between that look and VMRESUME back
 * to the look (struct backend's look). So an NMI from close on either brings enter back with EXIT_NONE, or
 * makes the guest exit.
 */
#ifndef CORE_VMX_VMX_H
#define CORE_VMX_VMX_H

#include "core/vcpu.h"
#include "core/vmx/vmcs.h"

/* What the last entry was prepared for: an event or the NMI window, and what else the controls depend on. */
struct prepared {
    bool backlog, exceptions, event;
};

/* A CPU's part, and what the VMCS holds, so that only what has changed is written. */
struct vmx {
    void *vmxon, *vmcs;           /* a page each */
    uint32_t primary, exceptions; /* controls */
    uint64_t cr0_shadow, rsp, rflags, tsc_offset;
    uint64_t not_physical;   /* address bits that this CPU does not have */
    const struct view *view; /* NULL: to be loaded */
    bool pdptes_stale;
    bool timer_on;
    struct prepared prepared;
    struct event injected; /* at this entry */
    struct event *from;    /* where it came from; NULL: the guest's NMI latch */
};
static inline struct vmx *vmx_of(const struct vcpu *vcpu)
{
    return vcpu->hw;
}

/* CR0 bits that are ours: NE, which VMX wants to be 1, and the cache's, which would slow the hypervisor too.
 */
#define VMX_CR0_OURS (CR0_NE | CR0_NW | CR0_CD)

/* NULL: CPUs like this one will do; else what is missing (vmx/probe.c). Fills the below. */
const char *vmx_probe(void);
/* On each CPU: NULL: VMXON is allowed; else what forbids it. */
const char *vmx_unlock(void);
bool vmx_present(void);
extern struct vmx_controls {
    uint32_t revision, pin, primary, secondary, exit, entry;
    bool timer;
    uint8_t timer_shift; /* it counts TSC ticks >> this */
    uint64_t ept_vpid;
} vmx_controls;

/* The firmware's memory types (vmx/mtrr.c). Boot, on the boot CPU; then any context. */
void mtrr_read(void);
/* The type of the page at address; and whether all of [address, address + size), a power of two, has one. */
unsigned mtrr_type(uint64_t address);
bool mtrr_uniform(uint64_t address, uint64_t size);

/* Writes the shadowed CR0, and what follows from PG. False: the CPU would have raised #GP (vmx/cr.c). */
bool vmx_load_pdptes(struct vcpu *vcpu);
bool vmx_write_cr0(struct vcpu *vcpu, uint64_t value);
/* An exit of MOV to CR0 or CR4; of XSETBV. */
void vmx_cr_exit(struct vcpu *vcpu, const struct exit *exit);
void vmx_xsetbv_exit(struct vcpu *vcpu, const struct exit *exit);

/* Those of struct backend (vmx/registers.c, vmx/ept.c). */
uint64_t vmx_read(struct vcpu *vcpu, enum reg reg);
void vmx_write(struct vcpu *vcpu, enum reg reg, uint64_t value);
void vmx_read_system(struct vcpu *vcpu, uint64_t regs[REG_CPL]);
void vmx_write_system(struct vcpu *vcpu, const uint64_t regs[REG_CPL]);
void vmx_segment(struct vcpu *vcpu, enum segment_name name, struct segment *out);
void vmx_clear_shadow(struct vcpu *vcpu);
uint64_t vmx_nested_leaf(uint64_t address, unsigned prot, bool large);
uint64_t vmx_nested_table(uint64_t address);
unsigned vmx_nested_prot(uint64_t entry);
bool vmx_nested_whole(uint64_t address, uint64_t size);
void vmx_flush(void);

/* Reads the exit out of the VMCS; does what is the backend's own business (vmx/exit.c). */
void vmx_decode_exit(struct vcpu *vcpu, struct exit *exit);
void vmx_permissions_init(void);
extern uint8_t vmx_msr_bitmap[4096], vmx_io_bitmaps[8192];

/* Chooses the event for this entry; puts it back when an NMI came first; notes what an exit interrupted
 * (vmx/event.c). */
void vmx_prepare_events(struct vcpu *vcpu);
void vmx_take_back(struct vcpu *vcpu);
void vmx_requeue(struct vcpu *vcpu);

void vmx_explain(struct vcpu *vcpu, const struct exit *exit);

/* vmx/enter.asm. */
enum vmx_entered { VMX_EXITED, VMX_NMI_FIRST, VMX_REFUSED };
enum vmx_entered vmx_enter(void);
extern char vmx_look[], vmx_look_end[], vmx_exited[];

#endif
