/*
 * The PAL's own guest page tables, in the format of its caller's paging.
 *
 * They grant a user everything: what a PAL may do is up to its view. Accessed and dirty bits are preset, but
 * a walker may write them all the same, so the view has the tables readable and writable; no address of the
 * PAL leads to them.
 */
#include "tv/tv.h"

enum { PT_PRESENT = 1 << 0, PT_WRITE = 1 << 1, PT_USER = 1 << 2, PT_ACCESSED = 1 << 5 };

struct format {
    unsigned levels, index_bits, entry_size;
    uint64_t root_flags; /* of entries in the root; PAE reserves all but PRESENT there */
};
enum { TABLE_FLAGS = PT_PRESENT | PT_WRITE | PT_USER | PT_ACCESSED, LEAF_FLAGS = TABLE_FLAGS | PT_DIRTY };

static const struct format formats[] = {
    [PAGING_32] = {2, 10, 4, TABLE_FLAGS},
    [PAGING_PAE] = {3, 9, 8, PT_PRESENT},
    [PAGING_LONG] = {4, 9, 8, TABLE_FLAGS},
};

/* Guest-physical address of a new empty table, 0 when the pool is empty. */
static uint64_t new_table(struct pal *pal)
{
    void *table = pal->table_count < PAL_MAX_TABLES ? page_alloc() : NULL;

    if (table)
        pal->tables[pal->table_count++] = (uint32_t)page_number((uintptr_t)table);
    return (uintptr_t)table;
}

static uint64_t get_entry(const struct format *format, uint64_t table, uint64_t index)
{
    if (format->entry_size == 4)
        return ((const uint32_t *)(uintptr_t)table)[index];
    return ((const uint64_t *)(uintptr_t)table)[index];
}

static void set_entry(const struct format *format, uint64_t table, uint64_t index, uint64_t entry)
{
    if (format->entry_size == 4)
        ((uint32_t *)(uintptr_t)table)[index] = (uint32_t)entry;
    else
        ((uint64_t *)(uintptr_t)table)[index] = entry;
}

static int map(struct pal *pal, uint64_t gva, uint64_t leaf)
{
    const struct format *format = &formats[pal->layout.paging];
    uint64_t table = pal->root;

    for (unsigned level = format->levels; level-- > 0;) {
        uint64_t index = gva >> (12 + format->index_bits * level) & ((1u << format->index_bits) - 1);
        uint64_t entry = get_entry(format, table, index);

        if (level == 0) {
            set_entry(format, table, index, leaf);
        } else if (entry & PT_PRESENT) {
            table = entry & RECORD_GPA;
        } else {
            uint64_t next = new_table(pal);

            if (!next)
                return -E_NOMEM;
            set_entry(format, table, index,
                      next | (level == format->levels - 1 ? format->root_flags : TABLE_FLAGS));
            table = next;
        }
    }
    return 0;
}

int pagetable_build(struct pal *pal)
{
    const uint64_t *record = pal->pages;
    int error;

    pal->root = new_table(pal);
    if (!pal->root)
        return -E_NOMEM;
    error = map(pal, 0, LEAF_FLAGS);
    for (unsigned i = 0; i < pal->layout.section_count; i++)
        for (unsigned page = 0; error == 0 && page < pal->layout.sections[i].pages; page++, record++)
            error = map(pal, pal->layout.sections[i].start + page * PAGE_SIZE,
                        (*record & (RECORD_GPA | RECORD_CACHE)) | LEAF_FLAGS);
    return error;
}

void pagetable_free(struct pal *pal)
{
    for (unsigned i = 0; i < pal->table_count; i++)
        page_free((void *)(uintptr_t)(pal->tables[i] * PAGE_SIZE));
    pal->table_count = 0;
    pal->root = 0;
}
