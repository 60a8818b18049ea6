/* The table of PALs; pal.h has the rules. */
#include <stdatomic.h>
#include "tv/pal.h"

static struct pal slots[PAL_SLOTS];

unsigned pal_slot(const struct pal *pal)
{
    return (unsigned)(pal - slots);
}

struct pal *pal_at(unsigned slot)
{
    return &slots[slot];
}

struct pal *pal_of(const struct vcpu *vcpu)
{
    return vcpu_app(vcpu);
}

struct pal *pal_find(uint64_t cr3, bool is64, uint64_t entry)
{
    for (unsigned i = 0; i < PAL_SLOTS; i++) {
        struct pal *pal = &slots[i];
        int state = atomic_load_explicit(&pal->state, memory_order_relaxed);

        if ((state == PAL_IDLE || state == PAL_RUNNING) && pal->layout.entry == entry &&
            pal->layout.cr3 == cr3 && pal->layout.is64 == is64)
            return pal;
    }
    return NULL;
}

struct pal *pal_owner(uint64_t gpa)
{
    for (unsigned i = 0; i < PAL_SLOTS; i++)
        for (unsigned page = 0; page < slots[i].lent; page++)
            if ((slots[i].pages[page] & RECORD_GPA) == (gpa & PAGE_MASK))
                return &slots[i];
    return NULL;
}

struct pal *pal_empty_slot(void)
{
    for (unsigned i = 0; i < PAL_SLOTS; i++)
        if (atomic_load_explicit(&slots[i].state, memory_order_relaxed) == PAL_FREE)
            return &slots[i];
    return NULL;
}

bool pal_take(struct pal *pal)
{
    int idle = PAL_IDLE;

    /* Acquire: sees what the last run left in the PAL. Pairs with pal_give_back. */
    return atomic_compare_exchange_strong_explicit(&pal->state, &idle, PAL_RUNNING, memory_order_acquire,
                                                   memory_order_relaxed);
}

void pal_give_back(struct pal *pal)
{
    __builtin_memset(&pal->run, 0, sizeof(pal->run)); /* a caller's registers are nothing to keep */
    atomic_store_explicit(&pal->waiters, 0, memory_order_relaxed);
    atomic_store_explicit(&pal->state, PAL_IDLE, memory_order_release); /* pairs with pal_take */
}

unsigned pal_prot(enum tv_section_type type)
{
    return type == TV_CODE || type == TV_SHARED_CODE ? ACCESS_READ | ACCESS_EXEC : ACCESS_READ | ACCESS_WRITE;
}

unsigned pal_guest_prot(enum tv_section_type type)
{
    return type == TV_SHARED_CODE ? ACCESS_READ | ACCESS_EXEC : 0;
}

/* Not inline, since the page is the last one mostly. */
static __attribute__((noinline)) uint8_t *page_at(const struct pal *pal, uint64_t gva)
{
    const uint64_t *records = pal->pages;
    const struct pal_section *section = pal->layout.sections, *end = section + pal->layout.section_count;

    for (; section < end; records += section++->pages) {
        uint64_t page = (gva - section->start) / PAGE_SIZE; /* huge for a gva before it */

        if (page < section->pages)
            return guest_ram(records[page] & RECORD_GPA);
    }
    return NULL;
}

void *pal_memory(struct pal *pal, uint64_t gva, size_t *size)
{
    uint64_t in_page = gva % PAGE_SIZE;

    if (pal->run.page_gva != gva - in_page) {
        pal->run.page = page_at(pal, gva);
        pal->run.page_gva = gva - in_page;
    }
    if (*size > PAGE_SIZE - in_page)
        *size = PAGE_SIZE - in_page;
    return pal->run.page ? pal->run.page + in_page : NULL;
}

int pal_write(struct pal *pal, uint64_t gva, const void *from, size_t size)
{
    const uint8_t *bytes = from;

    while (size > 0) {
        size_t piece = size;
        void *to = pal_memory(pal, gva, &piece);

        if (!to)
            return -E_FAULT;
        __builtin_memcpy(to, bytes, piece);
        gva += piece;
        bytes += piece;
        size -= piece;
    }
    return 0;
}
