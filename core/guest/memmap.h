/*
 * The machine's memory map as the guest may see it: the firmware's ranges, minus what the hypervisor keeps.
 *
 * Filled on the boot CPU before any other CPU runs (memmap_add, memmap_hide); constant afterwards, so every
 * CPU and context may ask without a lock. Addresses are physical bytes; a range is [start, end).
 */
#ifndef CORE_GUEST_MEMMAP_H
#define CORE_GUEST_MEMMAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Address range types, ACPI 6.5 table 15.4 ("E820"). Others are kept as they come and are not RAM. */
enum memory_type {
    MEMORY_RAM = 1,
    MEMORY_RESERVED = 2,
    MEMORY_ACPI = 3,
    MEMORY_NVS = 4,
    MEMORY_UNUSABLE = 5
};

struct memory_range {
    uint64_t start, end;
    uint32_t type;
};

/* memmap_add and memmap_hide calls together. Merging them gives at most MEMMAP_RANGES ranges. */
enum { MEMMAP_INPUTS = 64, MEMMAP_RANGES = 2 * MEMMAP_INPUTS - 1 };

/* Takes one range of the firmware's map; any order, overlaps allowed. Where ranges overlap the higher type
   wins, so RAM loses to everything; a page that is only partly RAM is not RAM. Empty ranges are ignored.
   -E_INVAL: end is before start. -E_NOMEM: MEMMAP_INPUTS ranges were given. */
int memmap_add(uint64_t start, uint64_t end, uint32_t type);

/* The hypervisor keeps all pages that this range touches: reserved in the guest's map, never guest RAM,
   whatever was or will be added. Errors as above, and then nothing is hidden: do not start a guest. */
__attribute__((warn_unused_result)) int memmap_hide(uint64_t start, uint64_t end);

/* Is all of it guest RAM? False for size 0 and for ranges that wrap. Logarithmic in the number of RAM ranges.
 */
bool memmap_is_ram_anew(uint64_t start, uint64_t size);
/* The range that was found last: most are asked for in one. Any CPU's answer will do. */
extern _Atomic(const struct memory_range *) memmap_last;
static inline bool memmap_is_ram(uint64_t start, uint64_t size)
{
    const struct memory_range *last = atomic_load_explicit(&memmap_last, memory_order_relaxed);
    if (last && start >= last->start && start < last->end && size)
        return size <= last->end - start;
    return memmap_is_ram_anew(start, size);
}

/* Was the page of this address given to memmap_hide? */
bool memmap_is_hidden(uint64_t gpa);

/* End of the highest guest RAM; 0 without any. */
uint64_t memmap_top(void);

/* The highest multiple of align (a power of two) in [min, max - size] at which size bytes are guest RAM.
   False where there is none. Nothing is reserved: two calls give the same answer. */
bool memmap_find(uint64_t size, uint64_t align, uint64_t min, uint64_t max, uint64_t *start);

/* The guest's map, sorted and without overlaps; index below memmap_count(). Hidden ranges appear as reserved.
 */
unsigned memmap_count(void);
struct memory_range memmap_get(unsigned index);

/* Forgets everything, for the host's tests. */
void memmap_reset(void);

#endif
