/* Views: splitting and joining of 2 MiB entries, on a backend whose CPU marks entries as it likes. */
#include "core/test/check.h"

#include <stdlib.h>

#include "core/x86/apic.h"

#define view_memory view_memory_of_views /* main.c has the tests' own */
#include "core/view.c"

enum { RIGHTS = ACCESS_RWX, ACCESSED_DIRTY = 3 << 5, POOL = 64 };
static unsigned pages_out;
static uint64_t not_whole = 1; /* the 2 MiB that no one entry can map; 1: none */

void *page_alloc(void)
{
    void *page = pages_out < POOL ? aligned_alloc(PAGE_SIZE, PAGE_SIZE) : NULL;
    pages_out += !!page;
    return page ? __builtin_memset(page, 0, PAGE_SIZE) : NULL;
}
void page_free(void *page)
{
    pages_out--;
    free(page);
}

static uint64_t leaf(uint64_t address, unsigned prot, bool large)
{
    return address | prot | (random32() & ACCESSED_DIRTY) | (large ? ENTRY_LARGE : 0);
}
static uint64_t table_entry(uint64_t address)
{
    return address | RIGHTS;
}
static unsigned rights(uint64_t entry)
{
    return entry & RIGHTS;
}
static bool is_whole(uint64_t address, uint64_t size)
{
    return not_whole < address || not_whole >= address + size;
}
static unsigned spaces(void)
{
    return 8;
}
static const struct backend test_backend = {
    .nested_leaf = leaf,
    .nested_table = table_entry,
    .nested_prot = rights,
    .nested_used = ACCESSED_DIRTY,
    .nested_whole = is_whole,
    .address_spaces = spaces,
};
const struct backend *backend = &test_backend;

static void give_back(uint64_t gpa)
{
    CHECK(view_protect(view_main(), gpa, ACCESS_RWX) == 0);
    view_join(view_main(), gpa);
}

void test_view(void)
{
    enum { AT = 0x40000000, OTHER = AT + 0x200000, FIRST = AT + 0x3000, LAST = AT + 0x1FF000 };
    memmap_reset();
    CHECK(memmap_add(0, 0x80000000, MEMORY_RAM) == 0);
    not_whole = OTHER + 0x5000;
    CHECK(view_init() == 0);
    CHECK(view_protect(view_main(), OTHER, 0) ==
          0); /* where the table of its GiB is made, if there is none */
    give_back(OTHER);
    unsigned before = pages_out;

    CHECK(view_protect(view_main(), FIRST, 0) == 0 && view_protect(view_main(), LAST, ACCESS_READ) == 0);
    CHECK(pages_out == before + 1);
    CHECK(view_prot(view_main(), FIRST) == 0 && view_prot(view_main(), FIRST + 0x1000) == ACCESS_RWX);
    give_back(FIRST);
    CHECK(pages_out == before + 1 && view_prot(view_main(), LAST) == ACCESS_READ); /* not all of it is back */
    give_back(LAST);
    CHECK(pages_out == before);
    for (uint64_t gpa = AT; gpa < OTHER; gpa += PAGE_SIZE)
        CHECK(view_prot(view_main(), gpa) == ACCESS_RWX);
    view_join(view_main(), FIRST); /* nothing to do */
    view_join(view_main(), MAPPED_GIBS * GIB);

    CHECK(view_protect(view_main(), FIRST, 0) == 0); /* and once more */
    give_back(FIRST);
    CHECK(pages_out == before);
    CHECK(view_protect(view_main(), OTHER, 0) == 0); /* types differ inside: stays a table */
    give_back(OTHER);
    CHECK(pages_out == before && view_prot(view_main(), OTHER) == ACCESS_RWX);

    struct view *view = view_create();
    CHECK(view && view_protect(view, FIRST, ACCESS_READ) == 0);
    view_join(view, FIRST); /* the rest of it is empty */
    CHECK(view_prot(view, FIRST) == ACCESS_READ && view_prot(view, LAST) == 0);
    view_destroy(view);
    CHECK(pages_out == before);
    view_destroy(view_main());
}
