/*
 * The guest's memory map. What was given is kept as it came; after each addition the sorted map is computed
 * anew by a sweep over all borders, which is slow, simple, and done a few dozen times at boot. Questions
 * search its RAM ranges, or the hidden ones.
 */
#include "core/guest/memmap.h"

#include "core/hypapp.h"

/* Beats every type of the firmware. */
static const uint32_t type_hidden = UINT32_MAX;

static struct memory_range inputs[MEMMAP_INPUTS];
static unsigned input_count;

static struct memory_range map[MEMMAP_RANGES]; /* sorted, disjoint */
static unsigned map_count;
static struct memory_range ram[MEMMAP_RANGES]; /* the RAM of it */
static unsigned ram_count;
static struct memory_range hidden[MEMMAP_RANGES]; /* and what we keep */
static unsigned hidden_count;

static uint64_t page_down(uint64_t address)
{
    return address & PAGE_MASK;
}
static uint64_t page_up(uint64_t address)
{
    return address > PAGE_MASK ? PAGE_MASK : (address + PAGE_SIZE - 1) & PAGE_MASK;
}

/* The type that wins at this address, 0 in a hole; *next is where the answer may change. */
static uint32_t type_at(uint64_t address, uint64_t *next)
{
    uint32_t type = 0;
    *next = UINT64_MAX;
    for (unsigned i = 0; i < input_count; i++) {
        const struct memory_range *input = &inputs[i];
        if (input->start > address) {
            if (input->start < *next)
                *next = input->start;
        } else if (input->end > address) {
            if (input->type > type)
                type = input->type;
            if (input->end < *next)
                *next = input->end;
        }
    }
    return type;
}

static void append(struct memory_range *ranges, unsigned *count, struct memory_range range)
{
    struct memory_range *last = *count ? &ranges[*count - 1] : NULL;
    if (last && last->end == range.start && last->type == range.type)
        last->end = range.end;
    else
        ranges[(*count)++] = range;
}

/* n inputs have 2n borders, so at most 2n - 1 pieces: the arrays cannot overflow. */
static void rebuild(void)
{
    uint64_t next;
    unsigned count = 0;
    for (uint64_t address = 0; address != UINT64_MAX; address = next) {
        uint32_t type = type_at(address, &next);
        if (type)
            append(map, &count, (struct memory_range){address, next, type});
    }
    /* Partly RAM is not RAM: only now, so that two ranges that meet inside a page are whole together. */
    map_count = ram_count = hidden_count = 0;
    atomic_store(&memmap_last, NULL);
    for (unsigned i = 0; i < count; i++) {
        struct memory_range piece = map[i];
        if (piece.type == MEMORY_RAM) {
            piece.start = page_up(piece.start);
            piece.end = page_down(piece.end);
            if (piece.start >= piece.end)
                continue;
            ram[ram_count++] = piece;
        }
        if (piece.type == type_hidden)
            hidden[hidden_count++] = piece;
        map[map_count++] = piece;
    }
}

static int add(uint64_t start, uint64_t end, uint32_t type)
{
    if (end < start)
        return -E_INVAL;
    if (start == end)
        return 0;
    if (input_count == MEMMAP_INPUTS)
        return -E_NOMEM;
    inputs[input_count++] = (struct memory_range){start, end, type};
    rebuild();
    return 0;
}

int memmap_add(uint64_t start, uint64_t end, uint32_t type)
{
    /* 0 would be a hole, and the highest number is ours: neither may turn memory into RAM, or reserved memory
     * into ours. */
    if (type == 0 || type == type_hidden)
        type = MEMORY_RESERVED;
    return add(start, end, type);
}

int memmap_hide(uint64_t start, uint64_t end)
{
    if (end <= start)
        return end < start ? -E_INVAL : 0;
    return add(page_down(start), page_up(end), type_hidden);
}

static const struct memory_range *find_in(const struct memory_range *ranges, unsigned count, uint64_t address)
{
    unsigned low = 0, high = count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (ranges[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && ranges[low].start <= address ? &ranges[low] : NULL;
}

_Atomic(const struct memory_range *) memmap_last;

bool memmap_is_ram_anew(uint64_t start, uint64_t size)
{
    const struct memory_range *range = find_in(ram, ram_count, start);
    atomic_store_explicit(&memmap_last, range, memory_order_relaxed);
    return range && size && size <= range->end - start;
}

bool memmap_is_hidden(uint64_t gpa)
{
    return find_in(hidden, hidden_count, gpa);
}

uint64_t memmap_top(void)
{
    return ram_count ? ram[ram_count - 1].end : 0;
}

bool memmap_find(uint64_t size, uint64_t align, uint64_t min, uint64_t max, uint64_t *start)
{
    for (unsigned i = ram_count; size && i-- > 0;) {
        uint64_t low = ram[i].start > min ? ram[i].start : min;
        uint64_t high = ram[i].end < max ? ram[i].end : max;
        if (high < low || high - low < size)
            continue;
        *start = (high - size) & ~(align - 1);
        if (*start >= low)
            return true;
    }
    return false;
}

unsigned memmap_count(void)
{
    return map_count;
}

struct memory_range memmap_get(unsigned index)
{
    struct memory_range range = map[index];
    if (range.type == type_hidden)
        range.type = MEMORY_RESERVED;
    return range;
}

void memmap_reset(void)
{
    input_count = map_count = ram_count = hidden_count = 0;
    atomic_store(&memmap_last, NULL);
}
