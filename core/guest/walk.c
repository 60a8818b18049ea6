/*
 * Walks the guest's page tables in software, for the copies that core/hypapp.h offers.
 *
 * The tables belong to the guest, whose other CPUs may change them meanwhile, and they may point anywhere:
 * each entry is loaded once and whole, and each table must lie in memory that the space's view lets the
 * guest read. Otherwise a guest could have us read the hypervisor's memory or a PAL's as if it were a page
 * table.
 *
 * Layouts: Intel SDM vol. 3 chapter 4, AMD APM vol. 2 chapter 5. Five-level paging is hidden from the guest,
 * and protection keys are not consulted.
 */
#include "core/hypapp.h"
#include "core/string.h"
#include "core/view.h"

#define BITS(high, low) ((~0ull >> (63 - (high))) & (~0ull << (low)))

#define ENTRY_PRESENT  BITS(0, 0)
#define ENTRY_WRITE    BITS(1, 1)
#define ENTRY_USER     BITS(2, 2)
#define ENTRY_LARGE    BITS(7, 7)
#define ENTRY_ADDRESS  BITS(51, 12)
#define ENTRY_NX       BITS(63, 63)
#define ADDRESS_32     BITS(31, 0)
#define CR3_PAE        BITS(31, 5)
#define PDPTE_RESERVED (ENTRY_NX | BITS(8, 6) | BITS(2, 1)) /* and bit 5, but QEMU sets it: accessed */

/* The entry at this place of a table; 0, which is not present, where the guest has no table to read. */
static uint64_t load_entry(const struct guest_space *space, uint64_t gpa, unsigned size)
{
    const uint8_t *table = view_memory(space->view, gpa, ACCESS_READ);
    if (!table)
        return 0;
    const void *entry = table + gpa % PAGE_SIZE;
    return size == 8 ? __atomic_load_n((const uint64_t *)entry, __ATOMIC_RELAXED)
                     : __atomic_load_n((const uint32_t *)entry, __ATOMIC_RELAXED);
}

/* rights: the AND of the walked entries' bits, with ENTRY_NX set where none forbids execution. */
static void fill(struct guest_page *page, uint64_t base, uint64_t gva, uint64_t size, uint64_t rights,
                 uint64_t entry)
{
    page->gpa = base | (gva & (size - 1));
    page->entry = entry;
    page->size = size;
    page->user = rights & ENTRY_USER;
    page->prot = 0;
    if (page->user)
        page->prot =
            ACCESS_READ | (rights & ENTRY_WRITE ? ACCESS_WRITE : 0) | (rights & ENTRY_NX ? ACCESS_EXEC : 0);
}

/* Two levels of 32-bit entries. The space does not tell CR4.PSE: without it a CPU would ignore ENTRY_LARGE,
   but every system that sets the bit means it. A large page's bits 20:13 are bits 39:32 of its address
   (PSE-36). */
static int walk_32(const struct guest_space *space, uint64_t gva, struct guest_page *page)
{
    uint64_t directory = space->cr3 & ADDRESS_32 & PAGE_MASK;
    uint64_t entry = load_entry(space, directory + (gva >> 22) * 4, 4);
    uint64_t rights = entry | ENTRY_NX;
    if (!(entry & ENTRY_PRESENT))
        return -E_FAULT;
    if (entry & ENTRY_LARGE) {
        if (entry & BITS(21, 21))
            return -E_FAULT;
        fill(page, (entry & BITS(31, 22)) | (entry & BITS(20, 13)) << 19, gva, 1ull << 22, rights, entry);
        return 0;
    }
    entry = load_entry(space, (entry & PAGE_MASK) + (gva >> 12 & 0x3ff) * 4, 4);
    if (!(entry & ENTRY_PRESENT))
        return -E_FAULT;
    fill(page, entry & PAGE_MASK, gva, PAGE_SIZE, rights & (entry | ENTRY_NX), entry);
    return 0;
}

/* Three (PAE) or four levels of 64-bit entries. PAE's topmost table has four entries, no rights, and may lie at
 * any multiple of 32. */
static int walk_64(const struct guest_space *space, uint64_t gva, struct guest_page *page)
{
    uint64_t table = space->cr3 & ENTRY_ADDRESS, entry, rights = ~0ull, reserved = space->nx ? 0 : ENTRY_NX;
    unsigned shift = 39;
    if (!space->long_mode) {
        entry = load_entry(space, (space->cr3 & CR3_PAE) + (gva >> 30) * 8, 8);
        reserved |= BITS(62, 52);
        if (!(entry & ENTRY_PRESENT) || entry & (reserved | PDPTE_RESERVED))
            return -E_FAULT;
        table = entry & ENTRY_ADDRESS;
        shift = 21;
    }
    for (;; shift -= 9) {
        entry = load_entry(space, table + (gva >> shift & 0x1ff) * 8, 8);
        if (!(entry & ENTRY_PRESENT) || entry & reserved)
            return -E_FAULT;
        rights &= entry ^ ENTRY_NX;
        if (shift == 12 || entry & ENTRY_LARGE)
            break;
        table = entry & ENTRY_ADDRESS;
    }
    uint64_t size = 1ull << shift;
    /* No page is larger than 1 GiB; a large one's address has 0 below its size, but for bit 12, which is PAT. */
    if (shift > 30 || entry & (size - 1) & ~BITS(12, 0))
        return -E_FAULT;
    fill(page, entry & ENTRY_ADDRESS & ~(size - 1), gva, size, rights, entry);
    return 0;
}

static int translate(const struct guest_space *space, uint64_t gva, struct guest_page *page)
{
    if (!space->long_mode)
        gva &= ADDRESS_32;
    if (!space->paging) {
        fill(page, gva & PAGE_MASK, gva, PAGE_SIZE, ~0ull, 0);
        return 0;
    }
    if (!space->pae)
        return walk_32(space, gva, page);
    /* Canonical: bits 63:47 are all alike. */
    if (space->long_mode && (gva & BITS(63, 47)) != 0 && (gva & BITS(63, 47)) != BITS(63, 47))
        return -E_FAULT;
    if (space->la57 && space->long_mode)
        return -E_FAULT;
    return walk_64(space, gva, page);
}

int guest_translate(struct guest_space *space, uint64_t gva, struct guest_page *page)
{
    if (space->last_gva == (gva & PAGE_MASK) && space->remembers) {
        *page = space->last;
        page->gpa |= gva % PAGE_SIZE;
        return 0;
    }
    int error = translate(space, gva, page);
    if (error == 0) {
        space->last = *page;
        space->last.gpa &= PAGE_MASK;
        space->last_gva = gva & PAGE_MASK;
    }
    return error;
}

/* Our pointer to the byte at gva for a user-mode access; NULL where that would fault. */
static uint8_t *user_bytes(struct guest_space *space, uint64_t gva, unsigned access)
{
    struct guest_page page;
    if (guest_translate(space, gva, &page) != 0 || (page.prot & access) != access)
        return NULL;
    uint8_t *memory = view_memory(space->view, page.gpa, access);
    return memory ? memory + page.gpa % PAGE_SIZE : NULL;
}

/* Steps through the pages of a range: what is left of [gva, gva + size) in gva's page. */
static size_t in_page(uint64_t gva, size_t size)
{
    size_t rest = PAGE_SIZE - gva % PAGE_SIZE;
    return size < rest ? size : rest;
}

/* Cuts the address to the space's width. False for a range that goes beyond its last byte. */
static bool range_fits(struct guest_space *space, uint64_t *gva, size_t size)
{
    uint64_t last = space->long_mode ? UINT64_MAX : ADDRESS_32;
    *gva &= last;
    return size == 0 || size - 1 <= last - *gva;
}

int guest_copy_in(struct guest_space *space, void *to, uint64_t from_gva, size_t size)
{
    uint8_t *target = to;
    if (!range_fits(space, &from_gva, size))
        return -E_FAULT;
    for (size_t part; size; size -= part, from_gva += part, target += part) {
        const uint8_t *source = user_bytes(space, from_gva, ACCESS_READ);
        if (!source)
            return -E_FAULT;
        part = in_page(from_gva, size);
        memcpy(target, source, part);
    }
    return 0;
}

int guest_copy_out(struct guest_space *space, uint64_t to_gva, const void *from, size_t size)
{
    const uint8_t *source = from;
    if (!range_fits(space, &to_gva, size))
        return -E_FAULT;
    /* All of it before the first byte; one page needs no look ahead. */
    for (size_t done = 0; in_page(to_gva, size) < size && done < size;
         done += in_page(to_gva + done, size - done))
        if (!user_bytes(space, to_gva + done, ACCESS_WRITE))
            return -E_FAULT;
    for (size_t part; size; size -= part, to_gva += part, source += part) {
        /* Looked up again, since the guest's other CPUs may have changed the tables. If they took a page
           away, the copy ends in the middle: the one case in which something was written, and they did it to
           themselves. */
        uint8_t *target = user_bytes(space, to_gva, ACCESS_WRITE);
        if (!target)
            return -E_FAULT;
        part = in_page(to_gva, size);
        memcpy(target, source, part);
    }
    return 0;
}
