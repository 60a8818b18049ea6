/*
 * The guest's CPU, as the vendor-neutral part sees it, and the prototypes that a backend (svm/, vmx/)
 * stands behind. A vcpu is edited by the CPU that runs it, and by nobody else.
 */
#ifndef CORE_VCPU_H
#define CORE_VCPU_H

#include "core/guest/insn.h"
#include "core/hypapp.h"

enum exit_reason {
    EXIT_UNKNOWN,
    EXIT_CPUID,
    EXIT_MSR_READ,
    EXIT_MSR_WRITE,
    EXIT_IO,
    EXIT_NESTED_FAULT,
    EXIT_HYPERCALL,
    EXIT_EXCEPTION,
    EXIT_NMI,
    EXIT_TIMER, /* limit_end may have passed */
    EXIT_NONE,  /* the backend's own business, done */
    EXIT_INVD,
    EXIT_HLT,
    EXIT_SHUTDOWN,
    EXIT_INIT,
    EXIT_FORBIDDEN, /* an instruction that CPUID does not offer: #UD */
    EXIT_ENTRY_FAILED,
    EXIT_REASONS,
};

/* Reason and code are always set, the rest where the reason has it. */
struct exit {
    enum exit_reason reason;
    uint64_t code;             /* the hardware's reason, for reports */
    uint64_t next_rip;         /* 0: not told, decode */
    uint64_t info1, info2;     /* what the hardware says beside it; the backend's */
    struct nested_fault fault; /* EXIT_NESTED_FAULT */
    unsigned vector;           /* EXIT_EXCEPTION */
    uint32_t error_code;
    struct {
        uint16_t port;
        uint8_t size; /* bytes */
        bool in, string;
    } io;
};

/* An event to deliver at the next entry. */
struct event {
    enum event_type { EVENT_NONE, EVENT_INTERRUPT, EVENT_NMI, EVENT_EXCEPTION } type;
    uint8_t vector;
    bool has_error;
    uint32_t error_code;
};

/* NMI blocking of the guest: SVM has no virtual NMIs, so the backend keeps the mask (svm/event.c). */
enum nmi_block { NMI_OPEN, NMI_IN_HANDLER, NMI_AT_IRET };

struct vcpu {
    uint64_t gpr[16]; /* enum reg order; RAX and RSP are copied from and to the VMCB around an entry */
    uint64_t rip, rflags;
    struct cpu *cpu;
    void *hw; /* the backend's */
    struct view *view;
    void *app;

    struct exit exit;      /* the last one */
    struct event event;    /* to deliver, from vcpu_inject */
    struct event requeued; /* whose delivery an exit interrupted: goes first */

    bool backlog; /* at this entry, the log has something that waits: HLT exits */
    bool nmi_held, exceptions_intercepted;
    enum nmi_block nmi_block;
    bool stepping; /* over an IRET or an interrupt shadow, to inject an NMI behind it */
    uint64_t step_flags;
    uint64_t step_rip;
    uint32_t nmis_at_close; /* VMX: what nmi_seen was then; another number keeps us out of the guest */
    bool launched;          /* VMX: this VMCS has been */

    _Atomic uint64_t limit_end;      /* TSC at which hypapp.overrun is due; 0: never (watchdog.h) */
    uint64_t tsc_offset, tsc_adjust; /* what the guest wrote to its TSC; ours is never touched */
    uint64_t seen_generation;        /* of nested tables, at this CPU's last flush (view.h) */
    bool flush;        /* drop all cached translations at the next entry, whatever the generation */
    uint32_t icr_high; /* shadows of the guest's local APIC (guest/lapic.c); senders read the other two */
    _Atomic uint32_t ldr, dfr;
    uint64_t exits[EXIT_REASONS];
    uint64_t nmis_sent, nmis_injected, nmis_unknown;
};

struct backend {
    const char *name;
    /* Does CPUID offer it? */
    bool (*present)(void);
    /* NULL: CPUs like this one will do. Otherwise the line that names the mend. */
    const char *(*probe)(void);
    /* Carves what a vcpu needs; boot, on the boot CPU. Negative: no memory. */
    int (*cpu_start)(struct vcpu *vcpu);
    /* Turns virtualisation on, on the CPU itself, whose descriptors and GS are final. NULL, or as probe: the
     * firmware may have locked it off on some CPUs only. */
    const char *(*cpu_enable)(struct vcpu *vcpu);
    /* Which MSRs and ports exit (guest/policy.h). Once. */
    void (*permissions_init)(void);
    /* State after INIT (APM 14.1.3); then, for SIPI, real mode at vector << 8. */
    void (*reset)(struct vcpu *vcpu);
    void (*set_sipi)(struct vcpu *vcpu, uint8_t vector);
    /* 32-bit protected mode, flat, paging off: how a Linux kernel is entered. */
    void (*set_protected)(struct vcpu *vcpu, uint16_t cs, uint16_t ds, uint32_t entry);
    void (*set_gdt)(struct vcpu *vcpu, uint64_t base, uint16_t limit);
    /* NMIs are held from close to open, between which are the last look at the mail box, and enter. Or they
     * are not, and one that comes makes enter return EXIT_NONE, unless it comes in the guest: for this the
     * NMI handler moves a RIP in [look, look_end) back to look. NULL: they are held. */
    void (*close)(void);
    void (*open)(void);
    const char *look, *look_end;
    /* Does enter come back with EXIT_TIMER when limit_end has passed? Known after probe. NULL: no. */
    bool (*has_timer)(void);
    /* One entry and its exit. Delivers what is due, flushes what has to be. */
    void (*enter)(struct vcpu *vcpu, struct exit *exit);
    /* Address space numbers that tag cached translations, 0 included (APM vol. 2, 15.16). Known after probe.
     */
    unsigned (*address_spaces)(void);
    uint64_t (*read)(struct vcpu *vcpu, enum reg reg);
    void (*write)(struct vcpu *vcpu, enum reg reg, uint64_t value);
    /* All from REG_CR0 to REG_SYSENTER_CS, by number. */
    void (*read_system)(struct vcpu *vcpu, uint64_t regs[REG_CPL]);
    void (*write_system)(struct vcpu *vcpu, const uint64_t regs[REG_CPL]);
    void (*segment)(struct vcpu *vcpu, enum segment_name name, struct segment *out);
    /* RIP moves past an instruction that was emulated, or the view changes: the interrupt shadow ends. */
    void (*clear_shadow)(struct vcpu *vcpu);
    /* Registers and what went wrong, for a failed entry: to the log. */
    void (*explain)(struct vcpu *vcpu, const struct exit *exit);
    /* Nested table entries: a page (large: 2 MiB, 1 GiB) with enum access bits, a pointer to a table, and the
     * bits of an entry. */
    uint64_t (*nested_leaf)(uint64_t address, unsigned prot, bool large);
    uint64_t (*nested_table)(uint64_t address);
    unsigned (*nested_prot)(uint64_t entry);
    uint64_t nested_used; /* bits of an entry that the CPU sets: accessed, dirty */
    /* Can one large entry map all of this (a power of two, 2 MiB or 1 GiB)? */
    bool (*nested_whole)(uint64_t address, uint64_t size);
};
extern const struct backend *backend;
extern const struct backend svm_backend, vmx_backend;

/* Runs the guest on this CPU for ever. */
_Noreturn void vcpu_loop(struct vcpu *vcpu);
/* Moves RIP behind the exit's instruction; a guest that single-steps gets its #DB. */
void vcpu_skip(struct vcpu *vcpu, const struct exit *exit);
/* Reads the instruction at CS:RIP as the CPU would fetch it. Its length, or negative: cannot be read (ROM, a
 * device, changed meanwhile) or is not one that insn.h knows. */
int vcpu_decode(struct vcpu *vcpu, struct insn *insn);
/* Moves RIP by hand, with what else the end of an instruction brings: no interrupt shadow, RF = 0, a #DB if
 * the guest single-steps. */
void vcpu_advance(struct vcpu *vcpu, unsigned length);
/* Sends the guest a #DB; DR6 tells of its cause already. */
void vcpu_inject_debug(struct vcpu *vcpu);
/* Sends the guest the fault of a forbidden access. */
void vcpu_inject_gp(struct vcpu *vcpu);

/* What came out of the guest: one handler a reason (exit.c). */
void exit_dispatch(struct vcpu *vcpu, const struct exit *exit);
uint64_t exits_total(void);
const char *exit_name(enum exit_reason reason);

#endif
