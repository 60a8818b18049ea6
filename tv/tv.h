/* What the files of tv/ ask of each other, beside the table of PALs. All run on the CPU of the vcpu they are
 * given. */
#ifndef TV_TV_H
#define TV_TV_H

#include "tv/pal.h"

/* ---- parse.c, register.c, report.c ---- */

/* Reads what REG's caller asks for and checks all that needs neither memory nor a quiesced machine. Negative:
 * refused, and logged. */
int parse_registration(struct vcpu *vcpu, struct pal_layout *layout);
/* The hypercall; the result is in RAX unless it is to be retried. */
enum hypapp_result tv_register(struct vcpu *vcpu);
/* Logs what was registered. */
void report_registration(const struct pal *pal);
/* Why the pages or the name of a registration were refused, and the page that it was about. */
struct refusal {
    enum { REFUSED_ACCESS, REFUSED_OWNER, REFUSED_PAGE, REFUSED_TWICE, REFUSED_NAME, REFUSED_MEMORY } why;
    unsigned need; /* enum access bits */
    uint64_t gva, gpa;
};
void report_refusal(const struct refusal *refusal, const struct pal *namesake);

/* ---- pagetable.c: the PAL's own guest page tables. Machine quiesced ---- */

/* Maps all sections where the caller has them, and page 0 to page 0, which the PAL's view lacks: the way out.
   -E_NOMEM leaves what was allocated to pagetable_free. */
int pagetable_build(struct pal *pal);
void pagetable_free(struct pal *pal);

/* ---- release.c. Machine quiesced; the CPU that ends it calls views_changed before ---- */

enum release {
    RELEASE_AS_IS, /* a registration that came to nothing */
    RELEASE_SCRUB, /* what the PAL could write is zeroed; its code comes back as it was lent */
    RELEASE_DEAD,  /* and CODE is filled with INT3: a caller that has not heard gets a signal, instead of
                      running it in the open */
};
/* Gives lent pages back to the guest, with the permissions that it had. */
void release_pages(struct pal *pal, enum release how);
/* Empties a slot whose pages are back and which no vcpu runs. */
void release_slot(struct pal *pal);
/* The hypercall. */
enum hypapp_result tv_unregister(struct vcpu *vcpu);

/* ---- enter.c, marshal.c, leave.c ---- */

/* What a PAL finds in its registers. */
struct pal_start {
    uint64_t stack;               /* holds TV_SENTINEL, then the arguments that are not in registers */
    uint64_t args[TV_MAX_PARAMS]; /* an INTEGER's value, a POINTER's address in the parameter area */
};
/* Registers of a 64-bit caller's first arguments, in order. */
enum { REGISTER_ARGS = 6 };
extern const enum reg register_args[REGISTER_ARGS];

/* The guest fetched the entry of this PAL in its own address space, which is `space`. */
enum hypapp_result pal_enter(struct vcpu *vcpu, struct pal *pal, struct guest_space *space);

/* Reads return address and arguments, and lays the arguments out in the PAL. False: a fault was injected at
 * the entry instead. */
bool marshal_in(struct vcpu *vcpu, struct pal *pal, struct guest_space *space, struct pal_start *start);
/* Copies the results to the caller, whose context is back. -E_FAULT: not all of them. */
int marshal_out(struct vcpu *vcpu, struct pal *pal);

/* Takes the vcpu out of the PAL into its caller, behind the call, with this RAX. The PAL stays RUNNING. */
void leave_context(struct vcpu *vcpu, struct pal *pal, uint64_t rax);
/* The PAL returned to TV_SENTINEL. */
enum hypapp_result pal_return(struct vcpu *vcpu, struct pal *pal);

/* ---- kill.c ---- */

/* Why a PAL that runs dies. */
struct pal_crime {
    bool is_overrun;
    bool is_exception;
    unsigned vector; /* is_exception */
    uint32_t error_code;
    struct nested_fault fault; /* otherwise */
};
/* The PAL that this vcpu runs did what it must not. Its caller gets #GP(0) behind the call. */
enum hypapp_result kill_running(struct vcpu *vcpu, struct pal *pal, const struct pal_crime *crime);
/* The guest's kernel wants a page of a PAL back (its process is gone, say). */
enum hypapp_result kill_for_guest(struct vcpu *vcpu, struct pal *pal, const struct nested_fault *fault);
/* The vcpu is about to be reset. Machine quiesced. */
void kill_on_reset(struct vcpu *vcpu);
/* The machine is about to be reset, and is quiesced: the PALs that no vcpu runs. */
void kill_idle(void);

#endif
