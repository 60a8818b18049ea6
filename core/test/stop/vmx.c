/* See guest.h: the CPU that runs the shipped VMX backend. Chapters are of SDM vol. 3. Not instrumented. */
#include "core/vmx/vmx.h"
#include "core/test/stop/guest.h"
#include "core/test/stop/instructions.h"
#include "core/test/stop/machine.h"
#include "log/explorer/explorer.h"

#include <string.h>

/* By width, type and index of the field (appendix B). */
enum { INDICES = 32, TYPES = 4, WIDTHS = 4 };
static uint64_t vmcs[MAX_CPUS][WIDTHS * TYPES * INDICES];
static struct vmx vmxes[MAX_CPUS];
static bool at_window[MAX_CPUS]; /* the last exit was a window's, and nothing was executed since */

/* The labels of enter.asm. */
__asm__(".data\n.globl vmx_look, vmx_look_end, vmx_exited\n"
        "vmx_look: .skip 2\nvmx_look_end: .skip 1\nvmx_exited: .skip 1\n.text");

struct vmx_controls vmx_controls;

static unsigned me(void)
{
    return (unsigned)explorer_self();
}

static uint64_t *at(enum vmcs_field field)
{
    return &vmcs[me()]
                [((field >> 13 & 3) * TYPES + (field >> 10 & 3)) * INDICES + (field >> 1 & (INDICES - 1))];
}

/* ---- instructions.h ---- */

uint64_t machine_vmread(enum vmcs_field field)
{
    return *at(field);
}

void machine_vmwrite(enum vmcs_field field, uint64_t value)
{
    *at(field) = value;
}

void vmx_machine_reset(void)
{
    memset(vmcs, 0, cpu_count * sizeof *vmcs);
    memset(vmxes, 0, cpu_count * sizeof *vmxes);
    memset(at_window, 0, sizeof at_window);
    for (unsigned i = 0; i < cpu_count; i++)
        cpus[i].vcpu.hw = &vmxes[i];
}

/* ---- the CPU ---- */

/* Which window is open, if its exit is asked for (26.2). In the shadow of an STI a CPU may exit for the NMI
 * window: this one does. */
static uint32_t open_window(void)
{
    uint64_t asked = *at(PRIMARY_CONTROLS), blocked = *at(INTERRUPTIBILITY);
    if (asked & PRIMARY_NMI_WINDOW && !(blocked & (BLOCKED_NMI | BLOCKED_MOV_SS)))
        return VMX_EXIT_NMI_WINDOW;
    if (asked & PRIMARY_INTERRUPT_WINDOW && *at(GUEST_RFLAGS) & RFLAGS_IF &&
        !(blocked & (BLOCKED_STI | BLOCKED_MOV_SS)))
        return VMX_EXIT_INTERRUPT_WINDOW;
    return 0;
}

/* The guest, up to an exit. */
static uint32_t run(void)
{
    uint64_t *rip = at(GUEST_RIP), *rflags = at(GUEST_RFLAGS), *blocked = at(INTERRUPTIBILITY);
    for (;;) {
        uint32_t window = open_window();
        if (!window)
            guest_waits(*rip);
        if (machine_nmi_pends()) { /* it has left the latch, and blocks NMIs (28.3) */
            hardware[me()].latch = false;
            hardware[me()].blocked = true;
            *at(EXIT_EVENT) = VMX_EVENT_VALID | VMX_NMI << VMX_EVENT_TYPE_SHIFT | VEC_NMI;
            return VMX_EXIT_EXCEPTION;
        }
        if (window && at_window[me()])
            explorer_fail("window: it exits again, with no instruction in between");
        at_window[me()] = window;
        if (window)
            return window;
        bool iret = guest_in_nmi(), shadow = *blocked & BLOCKED_STI;
        if (!guest_executes(rip, rflags, &shadow))
            return VMX_EXIT_VMCALL;
        *blocked =
            (*blocked & ~(uint64_t)(BLOCKED_STI | (iret ? BLOCKED_NMI : 0))) | (shadow ? BLOCKED_STI : 0);
    }
}

/* VM entry (with the checks of 27.3.1.5), delivery of its event, the guest. */
static uint32_t enter(void)
{
    uint64_t *event = at(ENTRY_EVENT), *blocked = at(INTERRUPTIBILITY);
    guest_enters();
    *at(VECTORING_EVENT) = 0;
    if (*event & VMX_EVENT_VALID) {
        if (*blocked & BLOCKED_NMI)
            explorer_fail("nmi: an NMI is injected while they are blocked: the entry fails");
        *blocked |= BLOCKED_NMI;
        at_window[me()] = false;
        if (!guest_takes_nmi(at(GUEST_RIP), at(GUEST_RFLAGS), *blocked & (BLOCKED_STI | BLOCKED_MOV_SS))) {
            *at(VECTORING_EVENT) = *event;
            return VMX_EXIT_EPT_VIOLATION;
        }
    }
    return run();
}

/* ---- what the shipped code calls ---- */

void vmx_flush(void)
{
    guest_flushed();
}

/* enter.asm, by its labels. */
enum vmx_entered vmx_enter(void)
{
    struct cpu *cpu = &cpus[me()];
    struct hardware *mine = &hardware[me()];
    do {
        mine->rip = (uint64_t)vmx_look;
        machine_touch(&cpu->nmi_seen, sizeof cpu->nmi_seen, false);
        if (cpu->nmi_seen != cpu->vcpu.nmis_at_close) { /* nmi_first */
            mine->rip = RIP_ELSEWHERE;
            return VMX_NMI_FIRST;
        }
        mine->rip = (uint64_t)vmx_look + 1; /* VMRESUME, before vmx_look_end */
        machine_point(false);
    } while (mine->rip == (uint64_t)vmx_look); /* the handler moved it back */
    mine->rip = RIP_ELSEWHERE;
    mine->gif = false; /* NMIs exit */
    *at(EXIT_REASON) = enter();
    *at(ENTRY_EVENT) &= ~(uint64_t)VMX_EVENT_VALID;
    mine->gif = true; /* vmx_exited */
    machine_take_nmi();
    return VMX_EXITED;
}
