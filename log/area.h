/*
 * The log's memory, as a post-mortem reader finds it (FORMAT.md, "Memory"): a header page, then two banks of
 * rings. A boot uses one bank and leaves the other as it was, so the records of the boot before outlive a
 * warm reset.
 */
#ifndef LOG_AREA_H
#define LOG_AREA_H

#include <stddef.h>
#include <stdint.h>
#include "log/log.h"
#include "log/ring.h"

enum { LOG_BUILD_ID_MAX = 20 };

struct log_bank {
    uint64_t offset;  /* from the header to the first slot: CPU 0's normal ring, its NMI ring, ..., CPU 1's */
    uint64_t tsc_khz; /* 0: not known yet */
    uint32_t epoch;   /* 0: no boot used this bank */
    uint32_t cpus;    /* lanes; 0: not known yet */
    uint32_t build_id_size;
    uint8_t build_id[LOG_BUILD_ID_MAX];
};

struct log_area {
    uint64_t magic; /* LOG_AREA_MAGIC */
    uint32_t version;
    uint32_t max_cpus; /* a bank has rings for so many */
    uint32_t slots[LOG_CONTEXTS];
    uint64_t size; /* of it all */
    struct log_bank bank[2];
    uint32_t current; /* the bank of this boot */
    uint32_t crc;     /* CRC-16 of all that stands before it */
};

/*
 * Makes `memory` ours: continues with the next epoch after what a valid header says, else with 1. The current
 * bank is zeroed, so that a slot whose number is 0 and whose rest is not was being written when its boot
 * ended. NULL if the memory is too small, misaligned or missing.
 */
struct log_area *log_area_init(void *memory, size_t size, unsigned max_cpus);

/* The slots of a ring of the current bank. */
struct log_slot *log_area_slots(struct log_area *area, unsigned cpu, enum log_context context);

/* What the boot before left in the other bank; NULL if there was none, or none with this layout. */
const struct log_bank *log_area_previous(const struct log_area *area);

/* How many records stand whole in a bank of `area`. */
uint64_t log_area_records(const struct log_area *area, const struct log_bank *bank);

/* Number of slots of a ring in this context: a power of two. */
unsigned log_area_slot_count(enum log_context context);

/* After a change of the header. */
void log_area_seal(struct log_area *area);

#endif
