/*
 * guest_copy_in and guest_copy_out: across pages that are scattered in memory, all or nothing, rights of both
 * translations, and the ends of the address spaces.
 */
#include "core/test/check.h"

#include <string.h>

#include "core/guest/memmap.h"
#include "core/hypapp.h"

enum { P = 1, W = 2, U = 4, PWU = P | W | U };
enum {
    T4 = 0x100000,
    T3 = 0x101000,
    T2 = 0x102000,
    T1 = 0x103000,
    PAGE_A = 0x400000,
    PAGE_B = 0x300000,
    PAGE_C = 0x500000
};
enum {
    START = 0x10ff0,
    SIZE = 0x10 + 0x1000 + 0x20
}; /* the end of page 0x10, page 0x11, and the begin of page 0x12 */

static uint64_t *entry_of(unsigned page)
{
    return (uint64_t *)(uintptr_t)T1 + page;
}
static uint8_t *bytes_at(uint64_t gpa)
{
    return (uint8_t *)(uintptr_t)gpa;
}

static struct guest_space make_space(void)
{
    memory_reset();
    *(uint64_t *)(uintptr_t)T4 = T3 | PWU;
    *(uint64_t *)(uintptr_t)T3 = T2 | PWU;
    *(uint64_t *)(uintptr_t)T2 = T1 | PWU;
    *entry_of(0x10) = PAGE_A | PWU;
    *entry_of(0x11) = PAGE_B | PWU;
    *entry_of(0x12) = PAGE_C | PWU;
    return (struct guest_space){.paging = true, .pae = true, .long_mode = true, .nx = true, .cr3 = T4};
}

static bool untouched(void)
{
    for (unsigned i = 0; i < PAGE_SIZE; i++)
        if (bytes_at(PAGE_A)[i] || bytes_at(PAGE_B)[i] || bytes_at(PAGE_C)[i])
            return false;
    return true;
}

static void test_scattered(void)
{
    uint8_t bytes[SIZE], back[SIZE + 1];
    struct guest_space space = make_space();
    for (unsigned i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i * 31 + 7);
    CHECK(guest_copy_out(&space, START, bytes, SIZE) == 0);
    CHECK(memcmp(bytes_at(PAGE_A) + 0xff0, bytes, 0x10) == 0 && bytes_at(PAGE_A)[0xfef] == 0);
    CHECK(memcmp(bytes_at(PAGE_B), bytes + 0x10, 0x1000) == 0);
    CHECK(memcmp(bytes_at(PAGE_C), bytes + 0x1010, 0x20) == 0 && bytes_at(PAGE_C)[0x20] == 0);
    back[SIZE] = 0x55;
    CHECK(guest_copy_in(&space, back, START, SIZE) == 0 && memcmp(back, bytes, SIZE) == 0 &&
          back[SIZE] == 0x55);
    CHECK(guest_copy_in(&space, back, 0xdead0000, 0) == 0 &&
          guest_copy_out(&space, 0xdead0000, bytes, 0) == 0);
}

/* What may go wrong with the last page of the range; `read` and `write`: is that copy refused? */
static void check_last_page(uint64_t entry, unsigned prot, bool read, bool write)
{
    uint8_t bytes[SIZE];
    struct guest_space space = make_space();
    memset(bytes, 0xa5, sizeof bytes);
    *entry_of(0x12) = entry;
    memory_protect(PAGE_C, prot);
    CHECK(guest_copy_in(&space, bytes, START, SIZE) == (read ? -E_FAULT : 0));
    memset(bytes, 0xa5, sizeof bytes);
    CHECK(guest_copy_out(&space, START, bytes, SIZE) == (write ? -E_FAULT : 0));
    CHECK(untouched() == write);
}

static void test_rights(void)
{
    check_last_page(PAGE_C | PWU, ACCESS_RWX, false, false);
    check_last_page(0, ACCESS_RWX, true, true);
    check_last_page(PAGE_C | P | U, ACCESS_RWX, false, true);
    check_last_page(PAGE_C | P | W, ACCESS_RWX, true, true);
    check_last_page(PAGE_C | PWU, ACCESS_READ | ACCESS_EXEC, false, true);
    check_last_page(PAGE_C | PWU, ACCESS_WRITE, true, false);
    check_last_page(PAGE_C | PWU, 0, true, true);
    check_last_page(0xfee00000 | PWU, ACCESS_RWX, true, true);
    check_last_page(MEMORY_END | PWU, ACCESS_RWX, true, true);

    uint8_t byte = 1;
    struct guest_space space = make_space();
    CHECK(memmap_hide(PAGE_C, PAGE_C + 1) == 0);
    CHECK(guest_copy_in(&space, &byte, 0x12000, 1) == -E_FAULT &&
          guest_copy_out(&space, 0x12000, &byte, 1) == -E_FAULT);
}

static void test_ends(void)
{
    uint8_t bytes[16] = {0};
    struct guest_space space = make_space();
    *(uint64_t *)(uintptr_t)(T4 + 511 * 8) =
        T3 | PWU; /* the topmost page and page 0 both mapped: only the wrap can fault */
    *(uint64_t *)(uintptr_t)(T3 + 511 * 8) = T2 | PWU;
    *(uint64_t *)(uintptr_t)(T2 + 511 * 8) = T1 | PWU;
    *entry_of(511) = PAGE_A | PWU;
    *entry_of(0) = PAGE_B | PWU;
    CHECK(guest_copy_in(&space, bytes, (uint64_t)-16, 16) == 0);
    CHECK(guest_copy_in(&space, bytes, (uint64_t)-15, 16) == -E_FAULT &&
          guest_copy_out(&space, (uint64_t)-15, bytes, 16) == -E_FAULT);
    CHECK(guest_copy_in(&space, bytes, 0x7ffffffffff8, 16) == -E_FAULT);
    CHECK(guest_copy_in(&space, bytes, 16, SIZE_MAX) == -E_FAULT &&
          guest_copy_out(&space, 16, bytes, SIZE_MAX) == -E_FAULT);

    memory_reset();
    space = (struct guest_space){.paging = true, .cr3 = T2};
    uint32_t *directory = (uint32_t *)(uintptr_t)T2;
    directory[1023] = 0x400000 | 0x80 | PWU;
    directory[0] = 0x800000 | 0x80 | PWU;
    CHECK(guest_copy_in(&space, bytes, 0xfffffff0, 16) == 0 &&
          guest_copy_in(&space, bytes, 0xffff0000fffffff0, 16) == 0);
    CHECK(guest_copy_in(&space, bytes, 0xfffffff1, 16) == -E_FAULT &&
          guest_copy_out(&space, 0xfffffff1, bytes, 16) == -E_FAULT);
    CHECK(guest_copy_in(&space, bytes, 0xffff0000fffffff1, 16) == -E_FAULT);
    space.paging = false;
    CHECK(guest_copy_out(&space, PAGE_A, "abc", 3) == 0 && memcmp(bytes_at(PAGE_A), "abc", 3) == 0);
    CHECK(guest_copy_in(&space, bytes, 0xfffffff1, 16) == -E_FAULT &&
          guest_copy_in(&space, bytes, 0xfee00000, 4) == -E_FAULT);
}

void test_copy(void)
{
    test_scattered();
    test_rights();
    test_ends();
}
