/* What the log says about a new PAL, or one that was refused. Texts cost nothing on the wire and numbers do,
 * so lines have few, and those small. */
#include "log/log.h"
#include "tv/tv.h"

static void report_section(unsigned index, const struct pal_section *section)
{
    uint64_t page = page_number(section->start);

    switch (section->type) {
    case TV_CODE:
        log_info("section %u CODE: %u pages at page 0x%lx; PAL r-x, guest ---", index, section->pages, page);
        break;
    case TV_DATA:
        log_info("section %u DATA: %u pages at page 0x%lx; PAL rw-, guest ---", index, section->pages, page);
        break;
    case TV_PARAM:
        log_info("section %u PARAM: %u pages at page 0x%lx; PAL rw-, guest ---", index, section->pages, page);
        break;
    case TV_STACK:
        log_info("section %u STACK: %u pages at page 0x%lx; PAL rw-, guest ---", index, section->pages, page);
        break;
    case TV_SHARED_CODE:
        log_info("section %u SHARED_CODE: %u pages at page 0x%lx; PAL and guest r-x", index, section->pages,
                 page);
        break;
    }
}

static void report_pages(const uint64_t *record, uint32_t pages)
{
    for (unsigned i = 0; i < pages; i++, record++) {
        log_info("  page %u lent, guest-physical page 0x%lx", i, page_number(*record));
        if ((*record & RECORD_FORMER) != ACCESS_RWX)
            log_info("  page %u: the guest had permission %u", i, (unsigned)(*record & RECORD_FORMER));
        if (*record & RECORD_CACHE)
            log_info("  page %u: cache bits 0x%x", i, (unsigned)(*record & RECORD_CACHE));
    }
}

static void report_params(const struct pal_layout *layout)
{
    for (unsigned i = 0; i < layout->param_count; i++) {
        const struct pal_param *param = &layout->params[i];

        if (param->type == TV_INTEGER)
            log_info("parameter %u INTEGER", i);
        else
            log_info("parameter %u POINTER: %lu bytes, copied to 0x%lx of PARAM", i, param->size,
                     param->entry + sizeof(struct tv_area_entry) + TV_AREA_OFFSET - layout->area_start);
    }
}

void report_registration(const struct pal *pal)
{
    const struct pal_layout *layout = &pal->layout;
    const uint64_t *record = pal->pages;

    log_info("REG PAL %u, entry 0x%lx", pal_slot(pal), layout->entry);
    if (layout->is64)
        log_info("64-bit caller, CR3 page 0x%lx", page_number(layout->cr3));
    else
        log_info("32-bit caller, CR3 0x%lx", layout->cr3);
    for (unsigned i = 0; i < layout->section_count; i++) {
        report_section(i, &layout->sections[i]);
        report_pages(record, layout->sections[i].pages);
        record += layout->sections[i].pages;
    }
    report_params(layout);
    log_info("entry at guest-physical page 0x%lx", page_number(pal->entry_gpa));
    log_info("%u page tables, root page 0x%x; address 4 is the way out", pal->table_count, pal->tables[0]);
    log_info("PAL %u ready: %u pages lent, %u of the pool free", pal_slot(pal), pal->lent, pages_free());
}

void report_refusal(const struct refusal *refusal, const struct pal *namesake)
{
    uint64_t page = page_number(refusal->gpa);

    switch (refusal->why) {
    case REFUSED_ACCESS:
        guest_warn("REG refused: 0x%lx is not mapped for the user with permission %u", refusal->gva,
                   refusal->need);
        break;
    case REFUSED_OWNER:
        guest_warn("REG refused: 0x%lx is page 0x%lx: not RAM, the hypervisor's, or another PAL's",
                   refusal->gva, page);
        break;
    case REFUSED_PAGE:
        guest_warn("REG refused: a PAL cannot have page 0x%lx", page);
        break;
    case REFUSED_TWICE:
        guest_warn("REG refused: 0x%lx is a page that the PAL has already", refusal->gva);
        break;
    case REFUSED_NAME:
        guest_warn("REG refused: PAL %u has this entry", pal_slot(namesake));
        break;
    case REFUSED_MEMORY:
        guest_warn("REG refused: out of memory or views, %u pages free", pages_free());
        break;
    }
}
