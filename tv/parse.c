/*
 * Reads a registration from the guest. Each word is read once into private memory, so nothing that is checked
 * here can change behind the check.
 */
#include "log/log.h"
#include "tv/tv.h"

static bool in_section(const struct pal_section *section, uint64_t gva)
{
    return gva >= section->start && gva - section->start < section->pages * PAGE_SIZE;
}

static const struct pal_section *first_section(const struct pal_layout *layout, enum tv_section_type type)
{
    for (unsigned i = 0; i < layout->section_count; i++)
        if (layout->sections[i].type == type)
            return &layout->sections[i];
    return NULL;
}

/* Copies one of REG's arrays to `to`, which has room for `max` elements of 16 bytes. Their number, 1 .. max,
 * or negative. */
static int read_array(struct guest_space *space, bool is64, uint64_t gva, void *to, unsigned max)
{
    uint32_t count;

    if (!caller_range(is64, gva, TV_ELEMENTS_OFFSET + max * 16) ||
        guest_copy_in(space, &count, gva + TV_COUNT_OFFSET, sizeof(count)) < 0)
        return -E_FAULT;
    if (count == 0 || count > max)
        return -E_INVAL;
    if (guest_copy_in(space, to, gva + TV_ELEMENTS_OFFSET, count * 16) < 0)
        return -E_FAULT;
    return (int)count;
}

static int check_section(const struct pal_layout *layout, unsigned index, const struct tv_section *wish)
{
    if (wish->type < TV_CODE || wish->type > TV_SHARED_CODE) {
        guest_warn("REG refused: section %u has type %u, not 1 to 5", index, wish->type);
        return -E_INVAL;
    }
    if (wish->pages == 0 || wish->pages > PAL_MAX_PAGES - layout->pages) {
        guest_warn("REG refused: section %u has %u pages; a PAL has 1 or more in each, %u in all", index,
                   wish->pages, (unsigned)PAL_MAX_PAGES);
        return -E_INVAL;
    }
    /* Page 0 is the way out of the PAL. */
    if (wish->start % PAGE_SIZE || wish->start == 0 ||
        !caller_range(layout->is64, wish->start, wish->pages * PAGE_SIZE)) {
        guest_warn("REG refused: section %u at 0x%lx is misaligned, at page 0, or beyond what a user has",
                   index, wish->start);
        return -E_INVAL;
    }
    for (unsigned i = 0; i < layout->section_count; i++) {
        const struct pal_section *other = &layout->sections[i];

        if (wish->start < other->start + other->pages * PAGE_SIZE &&
            other->start < wish->start + wish->pages * PAGE_SIZE) {
            guest_warn("REG refused: sections %u and %u overlap", i, index);
            return -E_INVAL;
        }
    }
    return 0;
}

static int parse_sections(struct guest_space *space, uint64_t gva, struct pal_layout *layout)
{
    struct tv_section wishes[TV_MAX_SECTIONS];
    const struct pal_section *stack;
    int count = read_array(space, layout->is64, gva, wishes, TV_MAX_SECTIONS);

    if (count < 0) {
        guest_warn("REG refused: cannot read 1 to 10 sections at 0x%lx (error %d)", gva, count);
        return count;
    }
    for (unsigned i = 0; i < (unsigned)count; i++) {
        int error = check_section(layout, i, &wishes[i]);

        if (error < 0)
            return error;
        layout->sections[i] = (struct pal_section){wishes[i].type, wishes[i].pages, wishes[i].start};
        layout->section_count++;
        layout->pages += wishes[i].pages;
    }
    stack = first_section(layout, TV_STACK);
    if (!stack || !first_section(layout, TV_PARAM)) {
        guest_warn("REG refused: no %s section", stack ? "PARAM" : "STACK");
        return -E_INVAL;
    }
    layout->stack_top = stack->start + stack->pages * PAGE_SIZE - TV_STACK_GAP;
    layout->area_start = first_section(layout, TV_PARAM)->start + TV_AREA_OFFSET;
    for (unsigned i = 0; i < layout->section_count; i++)
        if (layout->sections[i].type == TV_CODE && in_section(&layout->sections[i], layout->entry))
            return 0;
    guest_warn("REG refused: entry 0x%lx is in no CODE section", layout->entry);
    return -E_INVAL;
}

/* Lays the parameter area out: all entries and data must fit, so that no call can fail for size. */
static int parse_params(struct guest_space *space, uint64_t gva, struct pal_layout *layout)
{
    struct tv_param wishes[TV_MAX_PARAMS];
    uint64_t next = layout->area_start + sizeof(uint64_t);
    uint64_t end = layout->area_start - TV_AREA_OFFSET + first_section(layout, TV_PARAM)->pages * PAGE_SIZE;
    int count = read_array(space, layout->is64, gva, wishes, TV_MAX_PARAMS);

    if (count < 0) {
        guest_warn("REG refused: cannot read 1 to 10 parameters at 0x%lx (error %d)", gva, count);
        return count;
    }
    layout->param_count = (unsigned)count;
    for (int i = count - 1; i >= 0; i--) {
        uint64_t words = wishes[i].words, room = end - next;
        bool pointer = wishes[i].type == TV_POINTER;

        if (!pointer && wishes[i].type != TV_INTEGER) {
            guest_warn("REG refused: parameter %d has type %u, not 1 or 2", i, wishes[i].type);
            return -E_INVAL;
        }
        if (room < sizeof(struct tv_area_entry) ||
            (pointer && words > (room - sizeof(struct tv_area_entry)) / pal_word(layout))) {
            guest_warn("REG refused: parameter %d, %lu words, does not fit into the PARAM section", i, words);
            return -E_INVAL;
        }
        layout->params[i] = (struct pal_param){wishes[i].type, words * pal_word(layout), next};
        next += sizeof(struct tv_area_entry) + (pointer ? words * pal_word(layout) : 0);
    }
    return 0;
}

int parse_registration(struct vcpu *vcpu, struct pal_layout *layout)
{
    struct guest_space space;
    int error;

    guest_space_of(vcpu, &space);
    *layout = (struct pal_layout){
        .cr3 = caller_cr3(&space),
        .is64 = caller_is64(vcpu),
        .paging = caller_paging(&space),
        .entry = caller_reg(vcpu, REG_RDI),
    };
    if (layout->paging == PAGING_OFF || layout->paging == PAGING_LONG5) {
        guest_warn("REG refused: the caller's paging is off or has 5 levels");
        return -E_INVAL;
    }
    error = parse_sections(&space, caller_reg(vcpu, REG_RCX), layout);
    return error < 0 ? error : parse_params(&space, caller_reg(vcpu, REG_RSI), layout);
}
