/*
 * The memory map: overlaps, order, pages that are partly RAM, hiding, the search, and the full table; then
 * random maps against a model that keeps one type per page.
 */
#include "core/test/check.h"

#include "core/guest/memmap.h"
#include "core/hypapp.h"

static bool is(unsigned index, uint64_t start, uint64_t end, uint32_t type)
{
    struct memory_range range = memmap_get(index);
    return index < memmap_count() && range.start == start && range.end == end && range.type == type;
}

static void test_firmware_map(void)
{
    memmap_reset();
    CHECK(memmap_top() == 0 && memmap_count() == 0 && !memmap_is_ram(0, 1));
    CHECK(memmap_add(0x100000, 0x3ffe0000, MEMORY_RAM) == 0); /* QEMU's, shuffled */
    CHECK(memmap_add(0xfffc0000, 0x100000000, MEMORY_RESERVED) == 0);
    CHECK(memmap_add(0, 0x9fc00, MEMORY_RAM) == 0);
    CHECK(memmap_add(0x3ffe0000, 0x40000000, MEMORY_RESERVED) == 0);
    CHECK(memmap_add(0x9fc00, 0xa0000, MEMORY_RESERVED) == 0);
    CHECK(memmap_add(0x5000, 0x5000, MEMORY_RESERVED) == 0); /* empty */
    CHECK(memmap_add(2, 1, MEMORY_RAM) == -E_INVAL);
    CHECK(memmap_count() == 5);
    CHECK(is(0, 0, 0x9f000, MEMORY_RAM));
    CHECK(is(1, 0x9fc00, 0xa0000, MEMORY_RESERVED));
    CHECK(is(2, 0x100000, 0x3ffe0000, MEMORY_RAM));
    CHECK(is(4, 0xfffc0000, 0x100000000, MEMORY_RESERVED));
    CHECK(memmap_top() == 0x3ffe0000);
    CHECK(memmap_is_ram(0, 0x9f000) && !memmap_is_ram(0, 0x9f001) && !memmap_is_ram(0x9f000, 1));
    CHECK(memmap_is_ram(0x3ffdffff, 1) && !memmap_is_ram(0x3ffdffff, 2));
    CHECK(!memmap_is_ram(0x200000, 0));
    CHECK(!memmap_is_ram(0x200000, UINT64_MAX) && !memmap_is_ram(UINT64_MAX, 2));
}

static void test_hide(void)
{
    CHECK(memmap_hide(0x200800, 0x400001) == 0);
    CHECK(is(2, 0x100000, 0x200000, MEMORY_RAM));
    CHECK(is(3, 0x200000, 0x401000, MEMORY_RESERVED));
    CHECK(is(4, 0x401000, 0x3ffe0000, MEMORY_RAM));
    CHECK(memmap_is_hidden(0x200000) && memmap_is_hidden(0x400fff));
    CHECK(!memmap_is_hidden(0x1fffff) && !memmap_is_hidden(0x401000) && !memmap_is_hidden(0x9fc00));
    CHECK(!memmap_is_ram(0x1fffff, 2) && !memmap_is_ram(0x200000, 1));
    CHECK(memmap_add(0x300000, 0x310000, MEMORY_RAM) == 0 &&
          memmap_is_hidden(0x300000)); /* whatever comes later */
    CHECK(memmap_add(0x300000, 0x310000, UINT32_MAX) == 0 && !memmap_is_ram(0x300000, 1));
    CHECK(memmap_add(0x600000, 0x610000, UINT32_MAX) == 0 && !memmap_is_hidden(0x600000));
    CHECK(memmap_hide(0x500000, 0x500000) == 0 && !memmap_is_hidden(0x500000));
    CHECK(memmap_hide(0x501000, 0x500000) == -E_INVAL);
}

static void test_find(void)
{
    uint64_t start = 1;
    CHECK(memmap_find(0x1000, 0x1000, 0, UINT64_MAX, &start) && start == 0x3ffdf000);
    CHECK(memmap_find(0x1000, 0x200000, 0, 0x1000000, &start) && start == 0xe00000);
    CHECK(memmap_find(0x1000, 0x1000, 0x1000, 0x98000, &start) && start == 0x97000);
    CHECK(memmap_find(0x100000, 0x1000, 0, 0x402000, &start) && start == 0x100000);
    CHECK(!memmap_find(0x100001, 0x1000, 0, 0x402000, &start));
    CHECK(!memmap_find(0x1000, 0x200000, 0x600001, 0x7fffff, &start));
    CHECK(!memmap_find(0, 0x1000, 0, UINT64_MAX, &start));
    CHECK(!memmap_find(UINT64_MAX, 0x1000, 0, UINT64_MAX, &start));
}

static void test_edges(void)
{
    memmap_reset();
    CHECK(memmap_add(0x1000, 0x1800, MEMORY_RAM) == 0 && memmap_count() == 0); /* half a page */
    CHECK(memmap_add(0x1800, 0x2000, MEMORY_RAM) == 0 && is(0, 0x1000, 0x2000, MEMORY_RAM));
    CHECK(memmap_add(0x7ff0, 0x9010, MEMORY_RAM) == 0 && is(1, 0x8000, 0x9000, MEMORY_RAM));
    CHECK(memmap_add(0x1000, 0x1001, 0) == 0 && !memmap_is_ram(0x1000, 1)); /* type 0 is not RAM */
    memmap_reset();
    for (unsigned i = 0; i < MEMMAP_INPUTS; i++) /* nested: as many pieces as there can be */
        CHECK(memmap_add(i * 0x1000, 0x100000 - i * 0x1000, 100 + i) == 0);
    CHECK(memmap_count() == MEMMAP_RANGES);
    CHECK(memmap_add(0, 1, MEMORY_RAM) == -E_NOMEM && memmap_hide(0, 1) == -E_NOMEM);
}

enum { MODEL_PAGES = 64 };

static void add_random(uint32_t *model)
{
    uint32_t a = random32() % MODEL_PAGES, b = random32() % (MODEL_PAGES + 1);
    uint32_t first = a < b ? a : b, end = a < b ? b : a;
    uint32_t type = random32() % 3 ? MEMORY_RAM : MEMORY_RESERVED + random32() % 4;
    bool hide = random32() % 8 == 0;
    CHECK((hide ? memmap_hide(first * PAGE_SIZE, end * PAGE_SIZE)
                : memmap_add(first * PAGE_SIZE, end * PAGE_SIZE, type)) == 0);
    for (uint32_t page = first; page < end; page++)
        if (hide || type > model[page])
            model[page] = hide ? UINT32_MAX : type;
}

static bool agrees(const uint32_t *model)
{
    for (unsigned page = 0; page < MODEL_PAGES; page++) {
        uint64_t gpa = page * PAGE_SIZE;
        if (memmap_is_ram(gpa + 5, PAGE_SIZE - 5) != (model[page] == MEMORY_RAM) ||
            memmap_is_hidden(gpa + 5) != (model[page] == UINT32_MAX))
            return false;
        for (unsigned end = page + 1; end <= MODEL_PAGES && model[end - 1] == MEMORY_RAM; end++)
            if (!memmap_is_ram(gpa, end * PAGE_SIZE - gpa))
                return false;
    }
    for (unsigned i = 0; i < memmap_count(); i++) {
        struct memory_range range = memmap_get(i);
        uint32_t type = model[range.start / PAGE_SIZE];
        if (range.start >= range.end || (i && memmap_get(i - 1).end > range.start) ||
            range.type != (type == UINT32_MAX ? MEMORY_RESERVED : type))
            return false;
    }
    return true;
}

void test_memmap(void)
{
    test_firmware_map();
    test_hide();
    test_find();
    test_edges();
    unsigned wrong = 0;
    for (unsigned round = 0; round < 300; round++) {
        uint32_t model[MODEL_PAGES] = {0};
        memmap_reset();
        for (unsigned i = random32() % 20; i > 0; i--)
            add_random(model);
        wrong += !agrees(model);
    }
    CHECK(wrong == 0);
}
