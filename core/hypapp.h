/*
 * The interface between the hypervisor and its one hypapp: what the app is asked (struct hypapp) and what it
 * may ask for (the functions below). An app uses this header and log/ and nothing else of Braid.
 *
 * Contexts: callbacks run on the CPU whose vcpu they are given, in normal context (GIF = 1, IF = 0; NMIs may
 * nest and only note themselves). They may log (after quiesce_end, if it can wait), must not wait, and must
 * not loop without a bound that they state. Two CPUs may be in callbacks at once; what they share is either
 * atomic or touched only between quiesce_begin and quiesce_end.
 *
 * Errors are negative numbers (enum error). No callback can stop the machine.
 */
#ifndef CORE_HYPAPP_H
#define CORE_HYPAPP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/limit.h" /* guest_warn: for all that a guest can cause as often as it likes */

#define PAGE_SIZE 4096ull
#define PAGE_MASK (~(PAGE_SIZE - 1))

enum error {
    E_AGAIN = 1, /* somebody else is first: return HYPAPP_RETRY */
    E_FAULT,     /* a guest address that its tables do not map, or not for this access */
    E_NOMEM,     /* a pool is empty */
    E_INVAL,
    E_PERM,
};

struct vcpu; /* a guest CPU; owned by core, edited only by the CPU that runs it */
struct view; /* a nested address space: what guest-physical memory a vcpu may touch */

enum access { ACCESS_READ = 1, ACCESS_WRITE = 2, ACCESS_EXEC = 4, ACCESS_RWX = 7 };

/* ---- what the app is asked ---- */

enum hypapp_result {
    HYPAPP_DONE,  /* handled. hypercall, cpuid: core advances RIP. nested_fault, exception: the guest goes on
                     at the RIP now set */
    HYPAPP_RETRY, /* nothing was changed: execute the same guest instruction again */
    HYPAPP_PASS,  /* not the app's: core does what it does without an app */
};

struct nested_fault {
    uint64_t gpa;       /* faulting guest-physical address, to the byte */
    enum access access; /* one of READ, WRITE, EXEC: the access that failed */
    bool table_walk;    /* the CPU was reading or marking the guest's own page table */
};

struct hypapp {
    const char *name;
    /* Once, on the boot CPU, before any guest runs. Negative: the reason was logged, and Braid goes on
     * without the app. */
    int (*init)(void);
    /* VMMCALL, VMCALL at any CPL; number is EAX. PASS: core answers RAX = 1 and logs the number. */
    enum hypapp_result (*hypercall)(struct vcpu *vcpu, uint32_t number);
    /* CPUID of this leaf (0: none is the app's), fill out[] = EAX, EBX, ECX, EDX and return DONE, or PASS. */
    uint32_t cpuid_leaf;
    enum hypapp_result (*cpuid)(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
    /* An access that the vcpu's current view does not allow, and that does not hit the hypervisor's own
     * memory. PASS: #GP(0). */
    enum hypapp_result (*nested_fault)(struct vcpu *vcpu, const struct nested_fault *fault);
    /* An exception in a vcpu for which vcpu_intercept_exceptions is on. error_code is 0 where the vector has
       none. PASS: delivered to the guest. A page fault's address is in REG_CR2. */
    enum hypapp_result (*exception)(struct vcpu *vcpu, unsigned vector, uint32_t error_code);
    /* The limit of vcpu_limit has passed. RETRY: asked again soon. */
    enum hypapp_result (*overrun)(struct vcpu *vcpu);
    /* This vcpu is about to lose its state (INIT, shutdown): take back what it runs. The machine is quiesced
     * for it. */
    void (*cpu_reset)(struct vcpu *vcpu);
    /* The whole machine is about to be reset, after cpu_reset of each vcpu that had vcpu_app set: memory keeps
     * what is in it, and the next boot's system can read it. Quiesced. */
    void (*machine_reset)(void);
};

/* Set by the app's own object file; core calls through it. A build without an app has core's empty one. */
extern const struct hypapp hypapp;

/* ---- the vcpu ---- */

enum reg {
    REG_RAX,
    REG_RCX,
    REG_RDX,
    REG_RBX,
    REG_RSP,
    REG_RBP,
    REG_RSI,
    REG_RDI,
    REG_R8,
    REG_R9,
    REG_R10,
    REG_R11,
    REG_R12,
    REG_R13,
    REG_R14,
    REG_R15,
    REG_RIP,
    REG_RFLAGS,
    REG_CR0,
    REG_CR2,
    REG_CR3,
    REG_CR4,
    REG_EFER,
    REG_DR6,
    REG_DR7,
    REG_DEBUGCTL, /* BTF */
    REG_SYSENTER_CS,
    REG_CPL, /* read only */
};

enum segment_name { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS };

struct segment {
    uint16_t selector;
    uint16_t attributes; /* descriptor bits 40..47 and 52..55 put together: type 3:0, S 4, DPL 6:5, P 7, AVL
                            8, L 9, D/B 10, G 11 */
    uint32_t limit;      /* in bytes, already scaled */
    uint64_t base;
};
enum { SEGMENT_PRESENT = 1 << 7, SEGMENT_LONG = 1 << 9, SEGMENT_BIG = 1 << 10 };

unsigned vcpu_index(const struct vcpu *vcpu); /* CPU number, as in the log: 0 .. cpus - 1 */
uint64_t vcpu_get(struct vcpu *vcpu, enum reg reg);
void vcpu_set(struct vcpu *vcpu, enum reg reg, uint64_t value);
/* All of them but REG_CPL, by number. */
void vcpu_get_all(struct vcpu *vcpu, uint64_t regs[REG_CPL]);
void vcpu_set_all(struct vcpu *vcpu, const uint64_t regs[REG_CPL]);
void vcpu_get_segment(struct vcpu *vcpu, enum segment_name name, struct segment *out);

/* One pointer a vcpu for the app (NULL at the start), for example to what it runs. Other CPUs may read it
 * only while they hold the machine. */
void *vcpu_app(const struct vcpu *vcpu);
void vcpu_set_app(struct vcpu *vcpu, void *state);

/* Delivers an exception at the next entry. has_error tells whether the vector pushes error_code. */
void vcpu_inject(struct vcpu *vcpu, unsigned vector, bool has_error, uint32_t error_code);
/* All exceptions of this vcpu come to hypapp.exception until it is turned off again. */
void vcpu_intercept_exceptions(struct vcpu *vcpu, bool on);
/* While held, NMIs of the guest wait (one, as in a real CPU) and are delivered after it. */
void vcpu_hold_nmi(struct vcpu *vcpu, bool on);

/* On: from now on this vcpu has so many milliseconds (boot option isolated=), then hypapp.overrun is asked, as
 * soon as the machine can (core/watchdog.h). Off: it has no limit. */
void vcpu_limit(struct vcpu *vcpu, bool on);
uint64_t vcpu_limit_ms(void);

/* ---- guest memory ---- */

struct guest_page {
    uint64_t gpa;   /* of the address asked for, to the byte */
    uint64_t entry; /* the leaf entry that maps it, as in memory; 0 with paging off */
    uint64_t size;  /* bytes mapped by that entry: 4 KiB, 2 MiB, 4 MiB, 1 GiB */
    unsigned prot;  /* enum access bits that a user-mode access has by the guest's tables; 0 for a supervisor
                       page */
    bool user;
};
/* A guest's paging, as its registers set it: enough to walk its tables. Built from a vcpu, or by hand for
 * another root. One that is built from a vcpu remembers its last translation, and so is for one callback: the
 * guest's other CPUs wait for this one when they take a page away, and this one runs no guest code before. */
struct guest_space {
    struct view *view; /* nested permissions that apply to the tables and to the data */
    uint64_t cr3;
    bool paging, pae, long_mode, nx,
        la57; /* CR0.PG, CR4.PAE, EFER.LMA, EFER.NXE, CR4.LA57 (not walked: -E_FAULT) */
    bool remembers;
    uint64_t last_gva; /* of a page; 1: none yet */
    struct guest_page last;
};
void guest_space_of(struct vcpu *vcpu, struct guest_space *space);

/* Walks the guest's tables, without touching accessed or dirty bits. -E_FAULT where nothing is mapped, or the
 * walk leaves guest RAM. */
int guest_translate(struct guest_space *space, uint64_t gva, struct guest_page *page);

/* Copies as a user-mode (CPL 3) access would: user pages only, writable for copy_out, allowed by space->view;
   guest RAM only. -E_FAULT: not all of it can be copied; copy_out checks all pages first, so then nothing was
   written, unless another guest CPU changed the tables meanwhile. */
int guest_copy_in(struct guest_space *space, void *to, uint64_t from_gva, size_t size);
int guest_copy_out(struct guest_space *space, uint64_t to_gva, const void *from, size_t size);

/* The hypervisor's own pointer to a page of guest RAM; NULL where gpa is not guest RAM (a hole, a device, the
 * hypervisor). Whole pages only. */
void *guest_ram(uint64_t gpa);

/* ---- views ---- */

struct view *view_main(void); /* the guest's own: identity, RWX, without the hypervisor */
/* Nested permissions of one 4 KiB page: enum access bits, 0 where nothing is mapped. */
unsigned view_prot(const struct view *view, uint64_t gpa);
/* Sets them (identity mapping; splits large pages). Only while the machine is quiesced, or for a view that no
 * vcpu uses yet. -E_NOMEM: nothing changed. */
int view_protect(struct view *view, uint64_t gpa, unsigned prot);
/* Where all of the 2 MiB around gpa is allowed again, maps them as one, which frees the table of their pages.
 * To be called when a page that view_protect has restricted gets all permissions back. Machine quiesced, and
 * views_changed after it: a CPU may have the table cached. */
void view_join(struct view *view, uint64_t gpa);
/* An empty view; NULL when the pool or the machine's view numbers are used up. Machine quiesced. */
struct view *view_create(void);
/* Takes it back; no vcpu may use it any more. Machine quiesced. */
void view_destroy(struct view *view);
/* This vcpu uses that view from its next entry on. No other CPU is concerned. */
void vcpu_set_view(struct vcpu *vcpu, struct view *view);
/* Every CPU drops all cached translations before its next guest instruction. Machine quiesced; after the
 * edits, before quiesce_end. */
void views_changed(void);

/* Zeroed 4 KiB pages for the app's own tables, below 4 GiB, identity addressed. Machine quiesced. NULL when
 * the pool is empty. */
void *page_alloc(void);
void page_free(void *page);
unsigned pages_free(void);

/* ---- stopping the machine ---- */

/* Stops all other CPUs at their guest boundary. 0: they stand still until quiesce_end. -E_AGAIN: another CPU
   was first; undo nothing (nothing may have been done), return HYPAPP_RETRY. Deadlines and reports are
   core's. Does not nest. */
int quiesce_begin(struct vcpu *vcpu);
void quiesce_end(struct vcpu *vcpu);

#endif
