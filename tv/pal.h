/*
 * PALs: pieces of a guest program that run in a view of their own, out of the guest's sight; and the table of
 * them.
 *
 * Who may touch what:
 *  - A slot is filled and emptied, and its pages move between views, only while the machine is quiesced. No
 * other CPU is in a callback then, so who reads the table in a callback sees whole slots, without a lock.
 *  - `state` and `waiters` alone change while others run. The CPU that enters takes the PAL by
 * compare-and-swap, IDLE to RUNNING (acquire), and gives it back with a store (release, pal_give_back). In
 * between, `run` is that CPU's.
 *  - CONDEMNED, set in quiesce only: the pages went back to the guest while a CPU was inside. That CPU faults
 * at its next instruction and empties the slot.
 */
#ifndef TV_PAL_H
#define TV_PAL_H

#include "core/hypapp.h"
#include "tv/abi.h"
#include "tv/caller.h"

enum {
    PAL_SLOTS = 100,
    PAL_MAX_PAGES = 512, /* of all its sections: one page of records */
    /* The root, and at each of three levels at most two tables for a section and one for page 0. */
    PAL_MAX_TABLES = 1 + 3 * (2 * TV_MAX_SECTIONS + 1),
};

struct pal_section {
    enum tv_section_type type;
    uint32_t pages;
    uint64_t start; /* guest virtual */
};

struct pal_param {
    enum tv_param_type type;
    uint64_t size;  /* bytes; of an INTEGER only what was declared */
    uint64_t entry; /* guest virtual address of its tv_area_entry; a POINTER's data follow that */
};

/* What REG asked for: read from the guest once, checked, and never looked up there again. */
struct pal_layout {
    uint64_t cr3; /* address bits only. CR3, is64 and entry are the PAL's name */
    bool is64;
    enum paging paging;
    uint64_t entry; /* guest virtual */
    unsigned section_count, param_count;
    struct pal_section sections[TV_MAX_SECTIONS];
    struct pal_param params[TV_MAX_PARAMS];
    unsigned pages;                 /* of all sections */
    uint64_t area_start, stack_top; /* guest virtual */
};

/* A call in progress. */
struct pal_run {
    uint64_t regs[REG_CPL];           /* the caller's, by enum reg */
    uint64_t return_to, return_stack; /* its RIP and RSP after the call */
    uint64_t args[TV_MAX_PARAMS];     /* as the caller gave them: results go there, whatever the PAL writes */
    uint64_t page_gva; /* the page of the PAL that was looked up last; 0, where no PAL has one */
    uint8_t *page;     /* where it is, or NULL */
};

enum pal_state { PAL_FREE, PAL_IDLE, PAL_RUNNING, PAL_CONDEMNED };

struct pal {
    _Atomic int state;        /* enum pal_state */
    _Atomic uint32_t waiters; /* CPUs that logged, in this call, that it is busy */
    struct pal_layout layout;
    uint64_t entry_gpa; /* of the page with the entry */
    uint64_t *pages;    /* a record for each page, in section order */
    unsigned lent;      /* pages, from the first, that the main view has given up */
    struct view *view;
    uint64_t root; /* of its own page tables, guest-physical */
    unsigned table_count;
    uint32_t tables[PAL_MAX_TABLES]; /* page numbers; [0] is the root */
    struct pal_run run;
};

/* A page's record: address | cache bits of the caller's leaf entry, in their 4 KiB position | what the main
 * view allowed. */
enum { RECORD_FORMER = ACCESS_RWX, RECORD_CACHE = 1 << 3 | 1 << 4 | 1 << 7 };
#define RECORD_GPA PAGE_MASK

/* Number of a PAL's slot, and back; slots count from 0 to PAL_SLOTS - 1. */
unsigned pal_slot(const struct pal *pal);
struct pal *pal_at(unsigned slot);
/* The one that this vcpu runs, or NULL. */
struct pal *pal_of(const struct vcpu *vcpu);
/* By name, or NULL. A condemned one has no name any more. */
struct pal *pal_find(uint64_t cr3, bool is64, uint64_t entry);
/* The one that was lent this page, or NULL. Looks at PAL_SLOTS * PAL_MAX_PAGES records at worst. */
struct pal *pal_owner(uint64_t gpa);
/* An empty slot, or NULL. */
struct pal *pal_empty_slot(void);

/* Any CPU: takes an idle PAL to run it; false when it is not idle. And back, when no vcpu runs it any more.
 */
bool pal_take(struct pal *pal);
void pal_give_back(struct pal *pal);

/* What the PAL may do with a section of this type, and the guest meanwhile: enum access bits. */
unsigned pal_prot(enum tv_section_type type);
unsigned pal_guest_prot(enum tv_section_type type);

static inline uint64_t page_number(uint64_t address)
{
    return address / PAGE_SIZE;
}

/* Machine word in bytes, of PAL and caller. */
static inline unsigned pal_word(const struct pal_layout *layout)
{
    return layout->is64 ? 8 : 4;
}

/* Braid's own pointer to a byte of a PAL's sections; *size is cut to what its page has from there. NULL
 * outside of them. For the CPU that runs the PAL. */
void *pal_memory(struct pal *pal, uint64_t gva, size_t *size);
/* Copies into a PAL's sections. -E_FAULT outside of them: then only the part before was written. */
int pal_write(struct pal *pal, uint64_t gva, const void *from, size_t size);

#endif
