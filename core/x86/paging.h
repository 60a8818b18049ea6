/* The hypervisor's own page tables: one set for all CPUs, physical address == virtual address, and no page
 * both writable and executable. */
#ifndef CORE_X86_PAGING_H
#define CORE_X86_PAGING_H

#include <stdint.h>

/* Builds the tables up to `top` (end of RAM; 4 GiB at least). Boot, one CPU. Negative: too little memory. */
int paging_init(uint64_t top);
/* Switches this CPU to them. */
void paging_load(void);
/* Takes one page of the hypervisor's range out: a stack's guard. Boot only, before others run. */
void paging_unmap(uint64_t address);

#endif
