/*
 * Views: nested page tables. The main view maps guest-physical memory one to one, without the hypervisor and
 * its rings; the hypapp makes others.
 *
 * Cached translations. An edit (only while the machine is quiesced) ends with views_changed, which raises the
 * generation; every CPU samples the generation before each entry, behind its last look at the mail box, and
 * flushes if it has moved since its last flush. Who was not awaited (wait-for-SIPI) is covered by the same
 * rule. Each view has an address space number of its own as long as there are any; those beyond share the
 * last, and a switch to one of them flushes.
 */
#ifndef CORE_VIEW_H
#define CORE_VIEW_H

#include "core/hypapp.h"

#include <stdatomic.h>

struct view {
    uint64_t root; /* physical address of the top table, whose first entry alone is used; 0: free */
    uint64_t gibs; /* of the table that this one leads to: an entry a GiB */
    uint16_t asid;
    bool shares_asid;
};

extern _Atomic uint64_t view_generation;

/* Builds the main view. Boot, after the memory map is final. Negative: too little memory. */
int view_init(void);

/* Our pointer to the page of gpa, if the view allows all of `access` and memory stands behind it: guest RAM,
   or pages of our own that a view was given. NULL: not so, or a device. Any context. */
void *view_memory(const struct view *view, uint64_t gpa, unsigned access);

#endif
