/* The layout of the log's memory, and its epochs. See area.h. */
#include "log/area.h"
#include "log/frame.h"

static const uint32_t slot_counts[LOG_CONTEXTS] = {512, 64, 16, 16};

enum { PAGE = 4096 };

unsigned log_area_slot_count(enum log_context context)
{
    return slot_counts[context];
}

/* Slots of one CPU that stand before those of `context`; with LOG_CONTEXTS, all. */
static size_t slots_before(unsigned context)
{
    size_t sum = 0;

    for (unsigned i = 0; i < context; i++)
        sum += slot_counts[i];
    return sum;
}

static size_t bank_size(unsigned cpus)
{
    return cpus * slots_before(LOG_CONTEXTS) * sizeof(struct log_slot);
}

size_t log_memory_size(unsigned cpus)
{
    return PAGE + 2 * bank_size(cpus);
}

static uint32_t crc_of(const struct log_area *area)
{
    return log_crc16(LOG_CRC_INIT, (const uint8_t *)area, offsetof(struct log_area, crc)) ^ LOG_CRC_FINAL;
}

void log_area_seal(struct log_area *area)
{
    area->crc = crc_of(area);
}

struct log_slot *log_area_slots(struct log_area *area, unsigned cpu, enum log_context context)
{
    struct log_slot *first = (void *)((char *)area + area->bank[area->current].offset);

    return first + cpu * slots_before(LOG_CONTEXTS) + slots_before(context);
}

const struct log_bank *log_area_previous(const struct log_area *area)
{
    const struct log_bank *bank = &area->bank[area->current ^ 1];

    return bank->epoch != 0 ? bank : NULL;
}

uint64_t log_area_records(const struct log_area *area, const struct log_bank *bank)
{
    const struct log_slot *slot = (const void *)((const char *)area + bank->offset);
    uint64_t count = 0;

    for (size_t i = 0; i < area->max_cpus * slots_before(LOG_CONTEXTS); i++)
        count += atomic_load_explicit(&slot[i].stamp, memory_order_relaxed) != 0;
    return count;
}

/* True if an earlier boot with this same layout left its header here. Its build does not matter. */
static bool is_ours(const struct log_area *area, unsigned max_cpus)
{
    for (unsigned i = 0; i < LOG_CONTEXTS; i++)
        if (area->slots[i] != slot_counts[i])
            return false;
    return area->magic == LOG_AREA_MAGIC && area->version == LOG_AREA_VERSION && area->max_cpus == max_cpus &&
           area->size == log_memory_size(max_cpus) && area->current < 2 && area->crc == crc_of(area);
}

/*
 * A reset may come at any store. So the old header stays valid while the bank is zeroed, which takes long;
 * then the new one is put over it whole, checksum included.
 */
struct log_area *log_area_init(void *memory, size_t size, unsigned max_cpus)
{
    struct log_area *area = memory;
    struct log_area next = {.magic = LOG_AREA_MAGIC, .version = LOG_AREA_VERSION, .max_cpus = max_cpus};
    uint32_t epoch = 1;

    if (memory == NULL || (uintptr_t)memory % PAGE != 0 || size < log_memory_size(max_cpus))
        return NULL;
    if (is_ours(area, max_cpus)) {
        next = *area;
        epoch = area->bank[area->current].epoch + 1;
        next.current = area->current ^ 1;
    } else {
        next.size = log_memory_size(max_cpus);
        for (unsigned i = 0; i < LOG_CONTEXTS; i++)
            next.slots[i] = slot_counts[i];
    }
    next.bank[next.current] = (struct log_bank){
        .offset = PAGE + next.current * bank_size(max_cpus),
        .epoch = epoch == 0 ? 1 : epoch,
    };
    log_area_seal(&next);
    __builtin_memset((char *)memory + next.bank[next.current].offset, 0, bank_size(max_cpus));
    atomic_signal_fence(memory_order_seq_cst);
    *area = next;
    return area;
}
