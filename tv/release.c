/* Taking a PAL apart, and UNREG. */
#include <stdatomic.h>
#include "log/log.h"
#include "tv/tv.h"

enum { INT3 = 0xcc, LARGE_PAGE = 0x200000 };

static void scrub(enum tv_section_type type, uint64_t gpa, enum release how)
{
    if (how == RELEASE_AS_IS)
        return;
    if (pal_prot(type) & ACCESS_WRITE)
        __builtin_memset(guest_ram(gpa), 0, PAGE_SIZE);
    else if (how == RELEASE_DEAD && type == TV_CODE)
        __builtin_memset(guest_ram(gpa), INT3, PAGE_SIZE);
}

void release_pages(struct pal *pal, enum release how)
{
    unsigned index = 0;

    for (unsigned i = 0; i < pal->layout.section_count; i++) {
        const struct pal_section *section = &pal->layout.sections[i];

        for (unsigned n = 0; n < section->pages && index < pal->lent; n++, index++) {
            uint64_t gpa = pal->pages[index] & RECORD_GPA;
            unsigned former = pal->pages[index] & RECORD_FORMER;

            scrub(section->type, gpa, how);
            /* Lending it split the mapping down to this page, so no memory is needed now. */
            if (view_protect(view_main(), gpa, former) < 0)
                log_error("page 0x%lx stays out of the guest's reach: its permission cannot be restored",
                          page_number(gpa));
            /* The last page of ours in its 2 MiB makes them whole again, if nobody else has one there. */
            if (index + 1 == pal->lent || (pal->pages[index + 1] ^ gpa) / LARGE_PAGE)
                view_join(view_main(), gpa);
        }
    }
    pal->lent = 0;
}

void release_slot(struct pal *pal)
{
    if (pal->view)
        view_destroy(pal->view);
    pagetable_free(pal);
    if (pal->pages)
        page_free(pal->pages);
    __builtin_memset(pal, 0, sizeof(*pal)); /* PAL_FREE; and no secret of a caller stays behind */
}

static bool unregister_quiesced(struct pal *pal)
{
    if (atomic_load_explicit(&pal->state, memory_order_relaxed) != PAL_IDLE)
        return false;
    release_pages(pal, RELEASE_SCRUB);
    release_slot(pal);
    views_changed();
    return true;
}

enum hypapp_result tv_unregister(struct vcpu *vcpu)
{
    uint64_t entry = caller_reg(vcpu, REG_RCX);
    struct pal *running = pal_of(vcpu), *pal = NULL;
    struct guest_space space;
    unsigned lent;
    bool done = false;

    if (running) {
        guest_warn("UNREG refused: called by PAL %u", pal_slot(running));
    } else {
        guest_space_of(vcpu, &space);
        pal = pal_find(caller_cr3(&space), caller_is64(vcpu), entry);
        if (!pal)
            guest_warn("UNREG refused: this address space has no PAL with entry 0x%lx", entry);
    }
    if (pal) {
        if (quiesce_begin(vcpu) < 0)
            return HYPAPP_RETRY;
        lent = pal->lent;
        done = unregister_quiesced(pal);
        quiesce_end(vcpu);
        if (done)
            log_info("UNREG PAL %u: scrubbed, %u pages back to the guest, %u of the pool free", pal_slot(pal),
                     lent, pages_free());
        else
            guest_warn("UNREG refused: PAL %u is running", pal_slot(pal));
    }
    vcpu_set(vcpu, REG_RAX, done ? TV_OK : TV_FAILED);
    return HYPAPP_DONE;
}
