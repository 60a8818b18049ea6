/*
 * guest_translate on tables written by hand: each paging mode, page size, right, reserved bit, and tables
 * where no table may be.
 */
#include "core/test/check.h"

#include "core/guest/memmap.h"
#include "core/hypapp.h"

enum { P = 1, W = 2, U = 4, PS = 0x80, PWU = P | W | U };
#define NX (1ull << 63)

/* Pages of the fake machine. */
enum { T4 = 0x100000, T3 = 0x101000, T2 = 0x102000, T1 = 0x103000, PDPT = 0x104020, DATA = 0x2345000 };

static void set64(uint64_t table, unsigned index, uint64_t entry)
{
    ((uint64_t *)(uintptr_t)table)[index] = entry;
}
static void set32(uint64_t table, unsigned index, uint32_t entry)
{
    ((uint32_t *)(uintptr_t)table)[index] = entry;
}

static bool maps(struct guest_space *space, uint64_t gva, uint64_t gpa, uint64_t size, unsigned prot)
{
    struct guest_page page;
    return guest_translate(space, gva, &page) == 0 && page.gpa == gpa && page.size == size &&
           page.prot == prot && page.user == (prot != 0);
}

static bool faults(struct guest_space *space, uint64_t gva)
{
    struct guest_page page;
    return guest_translate(space, gva, &page) == -E_FAULT;
}

static void test_off(void)
{
    struct guest_space space = {.cr3 = 0xdead000};
    struct guest_page page;
    CHECK(maps(&space, 0x12345, 0x12345, 0x1000, ACCESS_RWX));
    CHECK(maps(&space, 0x700012345, 0x12345, 0x1000, ACCESS_RWX)); /* 32-bit addresses */
    CHECK(guest_translate(&space, 0x12345, &page) == 0 && page.entry == 0);
}

static void test_32(void)
{
    memory_reset();
    struct guest_space space = {.paging = true, .cr3 = T2 | 0x18};
    struct guest_page page;
    uint64_t gva = 0xc0801abc; /* directory 770, table 1 */
    CHECK(faults(&space, gva));
    set32(T2, 770, T1 | PWU);
    CHECK(faults(&space, gva));
    set32(T1, 1, DATA | PWU);
    CHECK(maps(&space, gva, DATA | 0xabc, 0x1000, ACCESS_RWX));
    CHECK(maps(&space, gva | 0xff00000000, DATA | 0xabc, 0x1000, ACCESS_RWX));
    CHECK(guest_translate(&space, gva, &page) == 0 && page.entry == (DATA | PWU));
    set32(T1, 1, DATA | P | U);
    CHECK(maps(&space, gva, DATA | 0xabc, 0x1000, ACCESS_READ | ACCESS_EXEC));
    set32(T1, 1, DATA | P | W);
    CHECK(maps(&space, gva, DATA | 0xabc, 0x1000, 0));
    set32(T1, 1, DATA | PWU);
    set32(T2, 770, T1 | P | U);
    CHECK(maps(&space, gva, DATA | 0xabc, 0x1000, ACCESS_READ | ACCESS_EXEC));
    set32(T2, 770, T1 | P | W);
    CHECK(maps(&space, gva, DATA | 0xabc, 0x1000, 0));
    set32(T2, 770, 0x05400000 | PWU | PS);
    CHECK(maps(&space, gva, 0x05401abc, 0x400000, ACCESS_RWX));
    set32(T2, 770, 0x05400000 | 3 << 13 | PWU | PS); /* PSE-36: bits 33:32 */
    CHECK(maps(&space, gva, 0x305401abc, 0x400000, ACCESS_RWX));
    set32(T2, 770, 0x05400000 | 1 << 21 | PWU | PS);
    CHECK(faults(&space, gva));
}

static void test_pae(void)
{
    memory_reset();
    struct guest_space space = {.paging = true, .pae = true, .nx = true, .cr3 = PDPT | 0x1f};
    uint64_t gva = 0xc0a03123; /* 3, 5, 3 */
    set64(PDPT, 3, T2 | P);
    set64(T2, 5, T1 | PWU);
    set64(T1, 3, DATA | PWU);
    CHECK(maps(&space, gva, DATA | 0x123, 0x1000, ACCESS_RWX)); /* the topmost entry has no rights to take */
    set64(T1, 3, DATA | PWU | NX);
    CHECK(maps(&space, gva, DATA | 0x123, 0x1000, ACCESS_READ | ACCESS_WRITE));
    space.nx = false;
    CHECK(faults(&space, gva));
    space.nx = true;
    set64(T1, 3, DATA | PWU | 1ull << 52);
    CHECK(faults(&space, gva));
    set64(T2, 5, 0x6800000 | PWU | PS | 0x1000); /* bit 12 is PAT */
    CHECK(maps(&space, gva, 0x6803123, 0x200000, ACCESS_RWX));
    set64(T2, 5, 0x6800000 | PWU | PS | 0x2000);
    CHECK(faults(&space, gva));
    set64(T2, 5, 0x6800000 | PWU | PS);
    static const uint64_t reserved[] = {2, 4, 0x40, PS, 0x100, NX, 1ull << 52};
    for (unsigned i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        set64(PDPT, 3, T2 | P | reserved[i]);
        CHECK(faults(&space, gva));
    }
    set64(PDPT, 3, T2 | P | 0x20); /* as QEMU marks it */
    CHECK(maps(&space, gva, 0x6803123, 0x200000, ACCESS_RWX));
    set64(PDPT, 3, T2);
    CHECK(faults(&space, gva));
}

static void four_levels(struct guest_space *space, uint64_t *gva)
{
    memory_reset();
    *space =
        (struct guest_space){.paging = true, .pae = true, .long_mode = true, .nx = true, .cr3 = T4 | 0xfff};
    *gva = 0xffff812345678abc; /* 258, 141, 43, 120 */
    set64(T4, 258, T3 | PWU);
    set64(T3, 141, T2 | PWU);
    set64(T2, 43, T1 | PWU);
    set64(T1, 120, DATA | PWU | PS | 1ull << 58); /* PAT, and a bit that software may use */
}

static void test_64(void)
{
    struct guest_space space;
    uint64_t gva;
    four_levels(&space, &gva);
    CHECK(maps(&space, gva, DATA | 0xabc, 0x1000, ACCESS_RWX));
    CHECK(faults(&space, gva & ~(1ull << 63)) && faults(&space, gva & 0xffffffffffff)); /* not canonical */
    CHECK(faults(&space, gva ^ 0x1000));
    static const uint64_t tables[] = {T4, T3, T2, T1};
    static const unsigned indexes[] = {258, 141, 43, 120};
    for (unsigned i = 0; i < 4; i++) { /* each level can take each right */
        uint64_t *entry = (uint64_t *)(uintptr_t)tables[i] + indexes[i], old = *entry;
        *entry = old & ~(uint64_t)W;
        CHECK(maps(&space, gva, DATA | 0xabc, 0x1000, ACCESS_READ | ACCESS_EXEC));
        *entry = old & ~(uint64_t)U;
        CHECK(maps(&space, gva, DATA | 0xabc, 0x1000, 0));
        *entry = old | NX;
        CHECK(maps(&space, gva, DATA | 0xabc, 0x1000, ACCESS_READ | ACCESS_WRITE));
        space.nx = false;
        CHECK(faults(&space, gva));
        space.nx = true;
        *entry = old & ~(uint64_t)P;
        CHECK(faults(&space, gva));
        *entry = old;
    }
    set64(T2, 43, 0x6800000 | PWU | PS);
    CHECK(maps(&space, gva, 0x6878abc, 0x200000, ACCESS_RWX));
    set64(T2, 43, 0x6900000 | PWU | PS);
    CHECK(faults(&space, gva));
    set64(T3, 141, 0x1c0000000 | PWU | PS);
    CHECK(maps(&space, gva, 0x1c5678abc, 0x40000000, ACCESS_RWX));
    set64(T3, 141, 0x1c0000000 | PWU | PS | 1 << 29);
    CHECK(faults(&space, gva));
    set64(T3, 141, T2 | PWU);
    set64(T2, 43, T1 | PWU);
    CHECK(maps(&space, gva, DATA | 0xabc, 0x1000, ACCESS_RWX));
    set64(T4, 258, T3 | PWU | PS);
    CHECK(faults(&space, gva));
    set64(T4, 258, PWU | PS); /* no page of 512 GiB at 0 either */
    CHECK(faults(&space, gva));
}

/* Tables that the guest may not read, at every level. */
static void test_hostile_tables(void)
{
    static const uint64_t tables[] = {T4, T3, T2, T1};
    struct guest_space space;
    uint64_t gva;
    for (unsigned i = 0; i < 4; i++) {
        four_levels(&space, &gva);
        memory_protect(tables[i], ACCESS_WRITE | ACCESS_EXEC);
        CHECK(faults(&space, gva));
        memory_protect(tables[i], ACCESS_READ);
        CHECK(maps(&space, gva, DATA | 0xabc, 0x1000, ACCESS_RWX));
        CHECK(memmap_hide(tables[i], tables[i] + 1) == 0);
        CHECK(faults(&space, gva));
    }
    four_levels(&space, &gva);
    space.cr3 = 0xfee00000; /* would crash this test if it were read */
    CHECK(faults(&space, gva));
    space.cr3 = T4;
    set64(T2, 43, 0xffffffffff000 | PWU);
    CHECK(faults(&space, gva));
    space = (struct guest_space){.paging = true, .cr3 = MEMORY_END};
    CHECK(faults(&space, 0x1000));
}

void test_walk(void)
{
    test_off();
    test_32();
    test_pae();
    test_64();
    test_hostile_tables();
}
