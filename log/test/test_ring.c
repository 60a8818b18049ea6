/* Rings and the memory they stand in. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "log/area.h"
#include "log/ring.h"
#include "log/test/check.h"
#include "log/test/machine.h"
#include "log/test/tests.h"
#include "log/writer.h"

void test_ring_overwrites_the_oldest(void)
{
    struct log_writer *writer;
    struct log_slot slot;

    machine_start(1);
    writer = log_writer(0, LOG_NORMAL);
    for (unsigned i = 1; i <= 600; i++)
        log_info("%u", i);
    CHECK(!log_ring_read(&writer->ring, 88, &slot), "record 88 of 600 is gone");
    CHECK(log_ring_read(&writer->ring, 89, &slot), "record 89 is the oldest of 512");
    CHECK_EQ(slot.payload[0], 89u);
    CHECK(!log_ring_read(&writer->ring, 601, &slot), "record 601 is not there yet");
}

void test_ring_half_written_slot(void)
{
    struct log_writer *writer;
    struct log_slot slot, *open;

    machine_start(1);
    writer = log_writer(0, LOG_NORMAL);
    log_info("whole");
    open = log_ring_begin(&writer->ring, 513); /* the slot of record 1 */
    CHECK(!log_ring_read(&writer->ring, 1, &slot), "a slot being written is not shown");
    log_ring_publish(&writer->ring, open, 513);
    CHECK(log_ring_read(&writer->ring, 513, &slot), "it is when whole");
}

static _Atomic bool stop;
static struct log_ring shared;

/* Writes records whose bytes are all alike. */
static void *produce(void *arg)
{
    (void)arg;
    for (uint64_t n = 1; !log_get(stop); n++) {
        struct log_slot *slot = log_ring_begin(&shared, n);

        slot->tsc = n;
        slot->serial = (uint32_t)n;
        slot->size = LOG_SLOT_PAYLOAD;
        for (unsigned i = 0; i < LOG_SLOT_PAYLOAD; i++)
            slot->payload[i] = (uint8_t)n;
        log_ring_publish(&shared, slot, n);
    }
    return NULL;
}

/* A reader on another CPU sees whole records or none, while the producer laps it in a ring of two slots. */
void test_ring_torn_reads(void)
{
    static struct log_slot slots[2];
    unsigned whole = 0, refused = 0, torn = 0;
    const time_t deadline = time(NULL) + 20;
    pthread_t producer;

    shared = (struct log_ring){.slots = slots, .mask = 1};
    log_set(stop, false);
    pthread_create(&producer, NULL, produce, NULL);
    while (atomic_load_explicit(&shared.head, memory_order_acquire) == 0)
        sched_yield();
    for (unsigned i = 0; time(NULL) < deadline && (i < 200000 || whole < 1000 || refused < 1000); i++) {
        const uint64_t n = atomic_load_explicit(&shared.head, memory_order_acquire);
        struct log_slot copy;

        if (!log_ring_read(&shared, n, &copy)) {
            refused++;
            continue;
        }
        whole++;
        for (unsigned b = 0; b < LOG_SLOT_PAYLOAD; b++)
            if (copy.payload[b] != (uint8_t)n || copy.tsc != n || copy.serial != (uint32_t)n)
                torn++;
    }
    log_set(stop, true);
    pthread_join(producer, NULL);
    CHECK_EQ(torn, 0u);
    CHECK(whole >= 1000 && refused >= 1000, "%u whole and %u refused: the race was there", whole, refused);
}

void test_area_is_refused(void)
{
    void *memory = aligned_alloc(4096, (log_memory_size(4) + 4095) / 4096 * 4096);

    CHECK_EQ(log_init(memory, log_memory_size(4), 0), LOG_ERR_CPUS);
    CHECK_EQ(log_init(memory, log_memory_size(4), LOG_MAX_CPUS + 1), LOG_ERR_CPUS);
    CHECK_EQ(log_init(memory, log_memory_size(4) - 1, 4), LOG_ERR_MEMORY);
    CHECK_EQ(log_init((char *)memory + 64, log_memory_size(4), 4), LOG_ERR_MEMORY);
    CHECK_EQ(log_init(NULL, log_memory_size(4), 4), LOG_ERR_MEMORY);
    free(memory);
}

/* A reset: the next boot has the next epoch, its own bank, and leaves the records of the last one readable.
 */
void test_area_epochs(void)
{
    struct log_area *area, header;
    struct log_slot *old;

    machine_start(2);
    area = machine_memory;
    CHECK_EQ(area->bank[area->current].epoch, 1u);
    CHECK(log_area_previous(area) == NULL, "nobody was here before");
    log_info("before the reset %d", 7);
    old = log_area_slots(area, 0, LOG_NORMAL) + 1;
    machine_reset(2);
    CHECK_EQ(area->bank[area->current].epoch, 2u);
    CHECK_EQ(area->bank[area->current ^ 1].epoch, 1u);
    log_info("after");
    CHECK(log_get(old->stamp) == 1 && old->payload[0] == 14, "the old record stands");
    CHECK(log_area_previous(area) == &area->bank[area->current ^ 1], "and is handed over");
    CHECK_EQ(log_area_records(area, log_area_previous(area)), 1u);
    header = *area;
    machine_reset(2);
    *area = header; /* a reset came while that boot was still zeroing its bank */
    machine_reset(2);
    CHECK_EQ(area->bank[area->current].epoch, 3u);
    CHECK_EQ(log_area_records(area, log_area_previous(area)), 1u);
    CHECK(log_get(old->stamp) == 0 && old->tsc == 0, "two resets later its bank is used again, from zero");
    area->max_cpus ^= 1; /* a flipped bit */
    machine_reset(2);
    CHECK_EQ(area->bank[area->current].epoch, 1u);
    CHECK(log_area_previous(area) == NULL, "a damaged header is not believed");
    area->slots[0] *= 2; /* a build with other rings, and a header that it sealed */
    log_area_seal(area);
    machine_reset(2);
    CHECK_EQ(area->bank[area->current].epoch, 1u);
}
