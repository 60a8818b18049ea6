/* What the files of the SVM backend share. */
#ifndef CORE_SVM_SVM_H
#define CORE_SVM_SVM_H

#include "core/svm/vmcb.h"
#include "core/vcpu.h"

/* The backend's part of a vcpu, one page each. */
static inline struct vmcb *vmcb_of(const struct vcpu *vcpu)
{
    return vcpu->hw;
}

/* Reads the exit out of the VMCB (svm/exit.c). */
void svm_decode_exit(struct vcpu *vcpu, struct exit *exit);
/* Chooses the event for this entry (svm/event.c). NMIs are held (GIF = 0). */
void svm_prepare_events(struct vcpu *vcpu);
/* After an exit: what it interrupted, and the end of a step. May change exit->reason to EXIT_NONE. */
void svm_finish_events(struct vcpu *vcpu, struct exit *exit);
void svm_update_intercepts(struct vcpu *vcpu);
/* The guest's CR2, from the next entry on; the hypervisor itself takes no page fault that it outlives. */
void svm_set_cr2(struct vcpu *vcpu, uint64_t value);
/* The state that VMRUN refused or that an unknown exit left, to the log (svm/explain.c). */
void svm_explain(struct vcpu *vcpu, const struct exit *exit);
void svm_permissions_init(void); /* the MSR and I/O maps, which all CPUs share */
extern uint8_t svm_msrpm[8192], svm_iopm[12288];

/* svm/enter.asm: guest registers in, VMRUN, guest registers out. GIF = 0. Both VMCBs by physical address. */
void svm_enter(struct vcpu *vcpu, uint64_t guest_vmcb, uint64_t host_vmcb);

#endif
