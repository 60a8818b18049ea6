/* Call sites, arguments, strings and levels: what comes to stand in the ring. */
#include <string.h>
#include "log/test/check.h"
#include "log/test/decode.h"
#include "log/test/machine.h"
#include "log/test/tests.h"
#include "log/writer.h"

static struct log_slot newest(void)
{
    const struct log_writer *writer = log_writer(machine_cpu, machine_context);
    struct log_slot slot = {0};

    CHECK(log_ring_read(&writer->ring, log_get(writer->ring.head), &slot), "the newest record can be read");
    return slot;
}

/* Each type of argument, through the macro. */
void test_record_arguments(void)
{
    const signed char narrow = -5;
    const short small = -300;
    const uint8_t byte = 200;
    const char letter = 'x';
    struct log_slot slot;
    const uint8_t *at;

    machine_start(1);
    log_info("%d %d %d %u %c %ld %lu %llu %p %d", narrow, small, -1, byte, letter, -5000000000L, 5000000000UL,
             ~0ULL, (void *)0x1000, true);
    slot = newest();
    at = slot.payload;
    CHECK_EQ(decode_varint(&at), 9u);
    CHECK_EQ(decode_varint(&at), 599u);
    CHECK_EQ(decode_varint(&at), 1u);
    CHECK_EQ(decode_varint(&at), 200u);
    CHECK_EQ(decode_varint(&at), 'x');
    CHECK_EQ(decode_varint(&at), 9999999999u);
    CHECK_EQ(decode_varint(&at), 5000000000u);
    CHECK_EQ(decode_varint(&at), ~0ULL);
    CHECK_EQ(decode_varint(&at), 0x1000u);
    CHECK_EQ(decode_varint(&at), 2u); /* true is an int */
    CHECK_EQ(at - slot.payload, slot.size);
    CHECK_EQ(slot.level, LOG_INFO);
    CHECK(slot.id > 0 && slot.id < 1000, "id %u", slot.id);
}

/* The site's address is its id times 64, in a section at address 0, entry 0 reserved. */
void test_record_site_ids(void)
{
    unsigned first;

    machine_start(1);
    CHECK_EQ((uintptr_t)log_sites, 0u);
    for (unsigned i = 0; i < 2; i++) {
        log_info("one");
        if (i == 0)
            first = newest().id;
    }
    CHECK_EQ(newest().id, first);
    log_info("other");
    CHECK(newest().id != first, "another site has another id");
}

void test_record_long_strings(void)
{
    char text[300];
    struct log_slot slot;
    const uint8_t *at;
    uint64_t head;

    machine_start(1);
    memset(text, 'a', sizeof(text));
    text[299] = '\0';
    log_info("%s", text);
    slot = newest();
    at = slot.payload;
    head = decode_varint(&at);
    CHECK_EQ(head & 1, 1u);
    CHECK_EQ(head >> 1, LOG_SLOT_PAYLOAD - 2u);
    CHECK_EQ(slot.size, LOG_SLOT_PAYLOAD);
    log_info("%s %lx %lx %lx %lx %lx %lx %lx %lx %lx", text, ~0UL, ~0UL, ~0UL, ~0UL, ~0UL, ~0UL, ~0UL, ~0UL,
             ~0UL);
    slot = newest();
    at = slot.payload;
    head = decode_varint(&at);
    CHECK(head & 1 && head >> 1 >= 8, "nine long arguments leave %d bytes for a string", (int)(head >> 1));
    CHECK_EQ(slot.size, 1 + (head >> 1) + 90);
    log_info("%s %s %s %s %s %s %s %s %s %s", text, text, text, text, text, text, text, text, text, text);
    CHECK(newest().size <= LOG_SLOT_PAYLOAD, "ten long strings are bounded");
    text[5] = '\0';
    log_info("%s %s", text, (char *)NULL);
    slot = newest();
    CHECK(slot.size == 13 && memcmp(slot.payload,
                                    "\x0a"
                                    "aaaaa\x0c(null)",
                                    13) == 0,
          "short strings are whole");
}

void test_record_text(void)
{
    char text[1000];
    struct log_slot slot;

    machine_start(1);
    log_text(LOG_WARN, "words");
    slot = newest();
    CHECK(slot.id == 0 && slot.size == 6 && memcmp(slot.payload, "\x01words", 6) == 0, "a text record");
    memset(text, 'b', sizeof(text));
    text[999] = '\0';
    log_text(LOG_ERROR, text);
    slot = newest();
    CHECK_EQ(log_get(log_writer(0, LOG_NORMAL)->ring.head), 5u); /* 1 + 4 */
    CHECK(memcmp(slot.payload + slot.size - 3, "...", 3) == 0, "a text too long ends with dots");
}

void test_record_levels(void)
{
    machine_start(1);
    log_set_levels(LOG_WARN, LOG_INFO);
    log_debug("not made");
    CHECK_EQ(log_get(log_writer(0, LOG_NORMAL)->ring.head), 0u);
    log_info("ring only");
    CHECK_EQ(newest().level, LOG_INFO | LOG_RING_ONLY);
    log_warn("wire");
    CHECK_EQ(newest().level, LOG_WARN);
    CHECK_EQ(newest().serial, 1u);
    log_set_levels(LOG_DEBUG, LOG_WARN); /* what goes to the wire goes through the ring */
    log_debug("wire");
    CHECK_EQ(newest().level, LOG_DEBUG);
}

/* No writer: nothing breaks, and it is counted. */
void test_record_without_writer(void)
{
    machine_start(2);
    machine_cpu = 2;
    log_info("nobody hears %d", 1);
    log_text(LOG_ERROR, "nor this");
    machine_cpu = 0;
    CHECK_EQ(log_totals().homeless, 2u);
}

static unsigned evaluated;

static int evaluate(void)
{
    return (int)++evaluated;
}

void test_record_arguments_evaluated_once(void)
{
    machine_start(1);
    evaluated = 0;
    log_info("%d", evaluate());
    CHECK_EQ(evaluated, 1u);
    log_set_levels(LOG_WARN, LOG_WARN);
    log_info("%d", evaluate());
    CHECK_EQ(evaluated, 1u);
}
