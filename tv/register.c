/*
 * REG: validate everything, then build what can fail, then lend the pages. Whatever fails on the way, the
 * guest finds its memory and its permissions as before, and so is the pool, but for a table of core's for
 * each GiB that had a page lent for the first time.
 */
#include <stdatomic.h>
#include "log/log.h"
#include "tv/tv.h"

/* Whether the caller may do with this page what the PAL is to do, and nobody else has it. CODE it must be
 * able to write as well: the guest loses the page, and a kill fills it, so one that is the caller's to read
 * only (of a file, of the kernel, everybody's zeroes) is not the caller's to give. */
static int check_page(const struct pal *pal, const struct pal_section *section, struct guest_space *space,
                      struct refusal *refusal, struct guest_page *page)
{
    unsigned need = pal_prot(section->type) | (section->type == TV_CODE ? ACCESS_WRITE : 0), former;

    refusal->need = need;
    if (guest_translate(space, refusal->gva, page) < 0 || (page->prot & need) != need) {
        refusal->why = REFUSED_ACCESS;
        return -E_FAULT;
    }
    refusal->gpa = page->gpa &= PAGE_MASK;
    former = view_prot(view_main(), page->gpa);
    /* The guest lacks some permission only where the page is lent already (as SHARED_CODE) or the
     * hypervisor's affair. */
    if (!guest_ram(page->gpa) || (former & need) != need || (former != ACCESS_RWX && pal_owner(page->gpa))) {
        refusal->why = REFUSED_OWNER;
        return -E_PERM;
    }
    /* Page 0 must stay out of the PAL's view; 32-bit tables reach 4 GiB. */
    if (page->gpa == 0 || (pal->layout.paging == PAGING_32 && page->gpa >> 32)) {
        refusal->why = REFUSED_PAGE;
        return -E_INVAL;
    }
    return 0;
}

/* The cache bits of a leaf entry where a 4 KiB entry has them: PAT is bit 12 of the larger ones. */
static uint64_t cache_bits(const struct guest_page *page)
{
    uint64_t entry = page->entry;

    if (page->size != PAGE_SIZE)
        entry = (entry & ~(1ull << 7)) | (entry >> 12 & 1) << 7;
    return entry & RECORD_CACHE;
}

/* Fills pal->pages. At most PAL_MAX_PAGES^2 / 2 comparisons. */
static int find_pages(struct pal *pal, struct guest_space *space, struct refusal *refusal)
{
    unsigned count = 0;

    for (unsigned i = 0; i < pal->layout.section_count; i++) {
        const struct pal_section *section = &pal->layout.sections[i];

        for (unsigned n = 0; n < section->pages; n++, count++) {
            uint64_t gva = section->start + n * PAGE_SIZE;
            struct guest_page page;
            int error;

            refusal->gva = gva;
            error = check_page(pal, section, space, refusal, &page);
            if (error < 0)
                return error;
            for (unsigned other = 0; other < count; other++) {
                if ((pal->pages[other] & RECORD_GPA) == page.gpa) {
                    refusal->why = REFUSED_TWICE;
                    return -E_INVAL;
                }
            }
            pal->pages[count] = page.gpa | cache_bits(&page) | view_prot(view_main(), page.gpa);
            if (gva == (pal->layout.entry & PAGE_MASK))
                pal->entry_gpa = page.gpa;
        }
    }
    return 0;
}

static int build_view(struct pal *pal)
{
    const uint64_t *record = pal->pages;
    int error = 0;

    pal->view = view_create();
    if (!pal->view)
        return -E_NOMEM;
    for (unsigned i = 0; i < pal->table_count && error == 0; i++)
        error = view_protect(pal->view, pal->tables[i] * PAGE_SIZE, ACCESS_READ | ACCESS_WRITE);
    for (unsigned i = 0; i < pal->layout.section_count; i++)
        for (unsigned n = 0; n < pal->layout.sections[i].pages && error == 0; n++, record++)
            error = view_protect(pal->view, *record & RECORD_GPA, pal_prot(pal->layout.sections[i].type));
    return error;
}

static int lend_pages(struct pal *pal)
{
    for (unsigned i = 0; i < pal->layout.section_count; i++) {
        for (unsigned n = 0; n < pal->layout.sections[i].pages; n++) {
            uint64_t record = pal->pages[pal->lent];
            unsigned prot = pal_guest_prot(pal->layout.sections[i].type) & record & RECORD_FORMER;

            if (view_protect(view_main(), record & RECORD_GPA, prot) < 0)
                return -E_NOMEM;
            pal->lent++;
        }
    }
    return 0;
}

/* Of the same name as a new one. In its own process its entry is out of reach, so if that is mapped, another
   page is there now: then the old PAL's process is gone, or has given it up. */
static int check_namesake(const struct pal *old, struct guest_space *space)
{
    struct guest_page page;

    if (!old)
        return 0;
    if (atomic_load_explicit(&old->state, memory_order_relaxed) == PAL_IDLE &&
        guest_translate(space, old->layout.entry, &page) == 0 && (page.gpa & PAGE_MASK) != old->entry_gpa)
        return 0;
    return -E_INVAL;
}

/* *namesake is the PAL of the same name: ended if this succeeds. */
static int register_quiesced(struct vcpu *vcpu, struct pal *pal, const struct pal_layout *layout,
                             struct refusal *refusal, struct pal **namesake)
{
    struct guest_space space;
    int error;

    *namesake = pal_find(layout->cr3, layout->is64, layout->entry);
    guest_space_of(vcpu, &space);
    error = check_namesake(*namesake, &space);
    if (error < 0) {
        refusal->why = REFUSED_NAME;
        return error;
    }
    pal->layout = *layout;
    pal->pages = page_alloc();
    error = pal->pages ? find_pages(pal, &space, refusal) : -E_NOMEM;
    if (error == 0)
        error = pagetable_build(pal);
    if (error == 0)
        error = build_view(pal);
    if (error == 0)
        error = lend_pages(pal);
    if (error < 0) {
        if (error == -E_NOMEM)
            refusal->why = REFUSED_MEMORY;
        release_pages(pal, RELEASE_AS_IS);
        release_slot(pal);
        views_changed();
        return error;
    }
    if (*namesake) {
        release_pages(*namesake, RELEASE_DEAD);
        release_slot(*namesake);
    }
    atomic_store_explicit(&pal->state, PAL_IDLE, memory_order_relaxed); /* quiesce_end publishes it */
    views_changed();
    return 0;
}

/* In quiesce nothing is said: the others need not stand still for it. */
static int register_and_report(struct vcpu *vcpu, struct pal *pal, const struct pal_layout *layout)
{
    struct refusal refusal = {0};
    struct pal *namesake;
    int error;

    if (quiesce_begin(vcpu) < 0)
        return -E_AGAIN;
    error = register_quiesced(vcpu, pal, layout, &refusal, &namesake);
    quiesce_end(vcpu);
    if (error < 0)
        report_refusal(&refusal, namesake);
    else if (namesake)
        log_warn("PAL %u ends: its process has another page at the entry now", pal_slot(namesake));
    if (error == 0)
        report_registration(pal);
    return error;
}

enum hypapp_result tv_register(struct vcpu *vcpu)
{
    struct pal *running = pal_of(vcpu), *pal = pal_empty_slot();
    struct pal_layout layout;
    int error = -E_PERM;

    if (running) {
        guest_warn("REG refused: called by PAL %u", pal_slot(running));
    } else if (parse_registration(vcpu, &layout) == 0) {
        if (pal)
            error = register_and_report(vcpu, pal, &layout);
        else
            guest_warn("REG refused: all %u slots are in use", (unsigned)PAL_SLOTS);
    }
    if (error == -E_AGAIN)
        return HYPAPP_RETRY;
    vcpu_set(vcpu, REG_RAX, error == 0 ? TV_OK : TV_FAILED);
    return HYPAPP_DONE;
}
