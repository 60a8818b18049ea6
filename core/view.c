/* See view.h. Both vendors' tables have four levels of 512 entries, bit 0 for an entry that is there (whoever
 * may do anything may read, here) and bit 7 for a large page; the rest of an entry is the backend's. */
#include "core/view.h"
#include "core/cpu.h"
#include "core/guest/memmap.h"
#include "core/memory.h"
#include "core/x86/apic.h"
#include "core/x86/asm.h"

enum { LEVELS = 3 /* below the root */, MAX_VIEWS = 128, ENTRY_PRESENT = 1 << 0, ENTRY_LARGE = 1 << 7 };
#define GIB          0x40000000ull
#define LARGE        0x200000ull
#define MAPPED_GIBS  512ull /* device memory above 512 GiB is out of the guest's reach */
#define ENTRY_ADDR   0x000FFFFFFFFFF000ull
#define CPUID_PAGE1G (1u << 26)

_Atomic uint64_t view_generation;
static struct view views[MAX_VIEWS];

struct view *view_main(void)
{
    return &views[0];
}

/* Bytes that an entry of a level maps; level 1 is the last. */
static uint64_t span(unsigned level)
{
    return PAGE_SIZE << (9 * (level - 1));
}

static _Atomic uint64_t *slot(uint64_t table, uint64_t gpa, unsigned level)
{
    return (_Atomic uint64_t *)table + (gpa / span(level)) % 512;
}

static inline bool is_table(uint64_t entry)
{
    return (entry & (ENTRY_PRESENT | ENTRY_LARGE)) == ENTRY_PRESENT;
}

/* Makes a large page a table of the next level with the same rights. What a leaf says beside its address is the
 * same for all of them: one entry was enough for them. */
static int split(_Atomic uint64_t *entry, unsigned level)
{
    uint64_t old = atomic_load_explicit(entry, memory_order_relaxed);
    _Atomic uint64_t *table = page_alloc();
    if (!table)
        return -E_NOMEM;
    unsigned prot = backend->nested_prot(old);
    uint64_t base = old & ENTRY_ADDR & ~(span(level) - 1);
    uint64_t leaf = backend->nested_leaf(base, prot, level - 1 > 1), step = span(level - 1);
#pragma GCC unroll 8
    for (unsigned i = 0; prot && i < 512; i++)
        atomic_store_explicit(&table[i], leaf + i * step, memory_order_relaxed);
    atomic_store_explicit(entry, backend->nested_table((uint64_t)table), memory_order_release);
    return 0;
}

/* Sets the entry of `level` that maps gpa, making the tables above it. */
static int set(struct view *view, uint64_t gpa, unsigned level, unsigned prot)
{
    uint64_t table = view->gibs;
    if (gpa >= MAPPED_GIBS * GIB)
        return -E_INVAL;
    for (unsigned at = LEVELS;; at--) {
        _Atomic uint64_t *entry = slot(table, gpa, at);
        uint64_t value = atomic_load_explicit(entry, memory_order_relaxed);
        if (at == level) {
            atomic_store_explicit(entry,
                                  prot ? backend->nested_leaf(gpa & ~(span(level) - 1), prot, level > 1) : 0,
                                  memory_order_release);
            return 0;
        }
        if (!is_table(value)) {
            if (split(entry, at))
                return -E_NOMEM;
            value = atomic_load_explicit(entry, memory_order_relaxed);
        }
        table = value & ENTRY_ADDR;
    }
}

int view_protect(struct view *view, uint64_t gpa, unsigned prot)
{
    return set(view, gpa, 1, prot);
}

/* Does a table of pages say what one entry for these 2 MiB would? */
static bool whole(uint64_t table, uint64_t base)
{
    uint64_t leaf = backend->nested_leaf(base, ACCESS_RWX, false), differ = 0;
#pragma GCC unroll 8
    for (unsigned i = 0; i < 512; i++)
        differ |= atomic_load_explicit((_Atomic uint64_t *)table + i, memory_order_relaxed) ^
                  (leaf + i * PAGE_SIZE);
    return !(differ & ~backend->nested_used) && backend->nested_whole(base, LARGE);
}

/* A table of 2 MiB entries that took the place of a 1 GiB entry stays: there are few. */
void view_join(struct view *view, uint64_t gpa)
{
    uint64_t table = view->gibs, base = gpa & ~(LARGE - 1);
    if (gpa >= MAPPED_GIBS * GIB)
        return;
    for (unsigned at = LEVELS;; at--) {
        _Atomic uint64_t *entry = slot(table, gpa, at);
        uint64_t value = atomic_load_explicit(entry, memory_order_relaxed);
        if (!is_table(value))
            return;
        table = value & ENTRY_ADDR;
        if (span(at) != LARGE)
            continue;
        if (whole(table, base)) {
            atomic_store_explicit(entry, backend->nested_leaf(base, ACCESS_RWX, true), memory_order_release);
            page_free((void *)table);
        }
        return;
    }
}

static inline uint64_t entry_in(uint64_t table, uint64_t gpa, unsigned shift)
{
    return atomic_load_explicit((_Atomic uint64_t *)(table & ENTRY_ADDR) + (gpa >> shift & 511),
                                memory_order_relaxed);
}

/* The entry that maps gpa; 0 where none does. Without a loop: a PAL's call asks this for each level of each
 * walk through the guest's tables. */
static inline uint64_t entry_of(const struct view *view, uint64_t gpa)
{
    if (gpa >= MAPPED_GIBS * GIB)
        return 0;
    uint64_t entry = entry_in(view->gibs, gpa, 30);
    if (is_table(entry))
        entry = entry_in(entry, gpa, 21);
    if (is_table(entry))
        entry = entry_in(entry, gpa, 12);
    return entry;
}

unsigned view_prot(const struct view *view, uint64_t gpa)
{
    return backend->nested_prot(entry_of(view, gpa));
}

struct view *view_create(void)
{
    unsigned last = backend->address_spaces() - 1;
    for (unsigned i = 0; i < MAX_VIEWS; i++) {
        struct view *view = &views[i];
        if (view->root)
            continue;
        uint64_t *root = page_alloc();
        void *gibs = root ? page_alloc() : NULL;
        if (!gibs) {
            if (root)
                page_free(root);
            return NULL;
        }
        *root = backend->nested_table((uint64_t)gibs);
        view->root = (uint64_t)root;
        view->gibs = (uint64_t)gibs;
        view->shares_asid = i + 1 >= last;
        view->asid = (uint16_t)(view->shares_asid ? last : i + 1);
        return view;
    }
    return NULL;
}

/* Most entries of a view's tables are empty: eight at a time. */
static bool all_empty(const uint64_t *entry)
{
    return !(entry[0] | entry[1] | entry[2] | entry[3] | entry[4] | entry[5] | entry[6] | entry[7]);
}

/* No vcpu uses them any more, so their entries are no longer shared. */
static void free_tables(uint64_t table, unsigned level)
{
    const uint64_t *entry = (const uint64_t *)table, *end = entry + (level > 1 ? 512 : 0);
    for (; entry < end; entry += 8) {
        if (all_empty(entry))
            continue;
        for (unsigned i = 0; i < 8; i++)
            if (is_table(entry[i]))
                free_tables(entry[i] & ENTRY_ADDR, level - 1);
    }
    page_free((void *)table);
}

void view_destroy(struct view *view)
{
    free_tables(view->gibs, LEVELS);
    page_free((void *)view->root);
    view->root = 0;
}

void views_changed(void)
{
    atomic_fetch_add(&view_generation, 1);
}

void vcpu_set_view(struct vcpu *vcpu, struct view *view)
{
    if (vcpu->view != view)
        backend->clear_shadow(vcpu); /* of an instruction of the other view */
    vcpu->view = view;
    vcpu->flush |= view->shares_asid;
}

void *view_memory(const struct view *view, uint64_t gpa, unsigned access)
{
    uint64_t page = gpa & PAGE_MASK, entry = entry_of(view, gpa);
    bool allowed = access == ACCESS_READ ? entry & ENTRY_PRESENT /* no need to ask the backend */
                                         : (backend->nested_prot(entry) & access) == access;
    if (!allowed)
        return NULL;
    return memmap_is_ram(page, PAGE_SIZE) || memmap_is_hidden(page) ? (void *)page : NULL;
}

void *guest_ram(uint64_t gpa)
{
    return memmap_is_ram(gpa & PAGE_MASK, PAGE_SIZE) ? (void *)(gpa & PAGE_MASK) : NULL;
}

/* Maps what one entry of `level` would, by as few entries as can. */
static int map(struct view *view, uint64_t gpa, unsigned level)
{
    if (level == 1 || backend->nested_whole(gpa, span(level)))
        return set(view, gpa, level, ACCESS_RWX);
    int failed = 0;
    for (unsigned i = 0; i < 512 && !failed; i++)
        failed = map(view, gpa + i * span(level - 1), level - 1);
    return failed;
}

int view_init(void)
{
    struct view *view = view_create();
    if (!view)
        return -E_NOMEM;
    bool gib_pages = cpuid(0x80000001, 0).edx & CPUID_PAGE1G;
    uint64_t ram = memmap_top() > 4 * GIB ? memmap_top() : 4 * GIB;
    uint64_t end = gib_pages ? MAPPED_GIBS * GIB : ram;
    int failed = 0;
    for (uint64_t gpa = 0; gpa < end && !failed; gpa += gib_pages ? GIB : LARGE)
        failed = map(view, gpa, gib_pages ? 3 : 2);
    for (uint64_t gpa = 0; gpa < ram && !failed; gpa += LARGE)
        if (memmap_is_hidden(gpa))
            failed = set(view, gpa, 2, 0);
    /* The rest of the APICs' MiB: a CPU's store there may be taken for an interrupt message (QEMU does), even
     * one that resets a CPU. */
    for (uint64_t gpa = APIC_BASE + PAGE_SIZE; gpa < APIC_BASE + APIC_RANGE && !failed; gpa += PAGE_SIZE)
        failed = view_protect(view, gpa, 0);
    return failed ? failed : view_protect(view, APIC_BASE, ACCESS_READ);
}
