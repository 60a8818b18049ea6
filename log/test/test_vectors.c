/* The C side against log/vectors.json. */
#include <string.h>
#include "log/frame.h"
#include "log/test/check.h"
#include "log/test/decode.h"
#include "log/test/machine.h"
#include "log/test/tests.h"
#include "log/test/vectors.h"
#include "log/writer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void test_crc_vectors(void)
{
    for (size_t i = 0; i < COUNT(crc_vectors); i++)
        CHECK_EQ(log_crc16(LOG_CRC_INIT, crc_vectors[i].data, crc_vectors[i].size) ^ LOG_CRC_FINAL,
                 crc_vectors[i].crc);
}

void test_frame_vectors(void)
{
    for (size_t i = 0; i < COUNT(frame_vectors); i++) {
        const struct frame_vector *v = &frame_vectors[i];
        uint8_t frame[LOG_FRAME_MAX], wire[LOG_WIRE_MAX];
        unsigned size;

        frame[0] = (uint8_t)(v->context << 6 | v->kind << 4 | v->seq);
        memcpy(frame + 1, v->body, v->body_size);
        size = log_frame_pack(wire, frame, (unsigned)v->body_size + 1, v->lane, 8 - v->p);
        CHECK(size == v->wire_size && memcmp(wire, v->wire, size) == 0, "frame vector %zu, p=%u", i, v->p);
    }
}

/* Tests the tests' decoder, which the other tests rely on. */
void test_stream_vectors(void)
{
    for (size_t i = 0; i < COUNT(stream_vectors); i++) {
        const struct stream_vector *v = &stream_vectors[i];
        struct decoded got = decode(v->wire, v->wire_size, v->t);

        CHECK(got.count == v->count, "%s: %zu frames", v->name, got.count);
        CHECK(got.lost == v->lost, "%s: %u lost", v->name, got.lost);
        CHECK(got.stray == v->stray, "%s: %u stray", v->name, got.stray);
        for (size_t f = 0; f < got.count && f < v->count; f++)
            CHECK(got.frames[f].lane == v->frames[f].lane && got.frames[f].context == v->frames[f].context &&
                      got.frames[f].seq == v->frames[f].seq && got.frames[f].size == v->frames[f].size &&
                      memcmp(got.frames[f].body, v->frames[f].body, v->frames[f].size) == 0,
                  "%s: frame %zu differs", v->name, f);
        decode_free(&got);
    }
}

void test_record_vectors(void)
{
    for (size_t i = 0; i < COUNT(record_vectors); i++) {
        const struct record_vector *v = &record_vectors[i];
        uint64_t args[LOG_MAX_ARGS] = {0};
        unsigned strings = 0;
        struct decoded got;

        machine_start_open(4, LOG_SYNC);
        machine.clock = (v->time << log_state.shift) - 1;
        machine.tick = 1;
        /* The least silence before the SYNC that asks for so many bytes of time. */
        log_set(log_state.lane[0].writer[LOG_NORMAL].time, v->time - (1u << 7 * (v->time_size - 1)));
        for (unsigned a = 0; a < v->count; a++) {
            args[a] = v->arguments[a].text ? (uintptr_t)v->arguments[a].text : v->arguments[a].value;
            strings |= (unsigned)(v->arguments[a].text != NULL) << a;
        }
        log_record_strings((uintptr_t)log_sites + v->id * LOG_SITE_SIZE + LOG_INFO, v->count, args, strings);
        machine_settle();
        got = decode(machine.sent, machine.sent_size, 2);
        CHECK_EQ(got.count, 2); /* SYNC and it */
        if (got.count == 2)
            CHECK(got.frames[1].kind == LOG_KIND_RECORD && got.frames[1].size == v->size &&
                      memcmp(got.frames[1].body, v->record, v->size) == 0,
                  "record vector %zu", i);
        decode_free(&got);
    }
}

/* Records as they stand in the ring, sent by the pump. */
void test_batch_vector(void)
{
    struct log_writer *writer;
    struct decoded got;

    machine_start_open(4, LOG_ASYNC);
    writer = &log_state.lane[0].writer[LOG_NORMAL];
    for (unsigned i = 0; i < batch_vector.count; i++) {
        struct log_slot *slot = log_ring_begin(&writer->ring, i + 1);

        slot->tsc = batch_vector.records[i].time << log_state.shift;
        slot->serial = i + 1;
        slot->id = (uint16_t)batch_vector.records[i].id;
        slot->size = (uint8_t)batch_vector.records[i].size;
        slot->level = LOG_INFO;
        memcpy(slot->payload, batch_vector.records[i].payload, batch_vector.records[i].size);
        log_ring_publish(&writer->ring, slot, i + 1);
        log_set(writer->serial, i + 1);
    }
    log_set(writer->time, batch_vector.before);
    CHECK(!log_pump(0, batch_vector.count), "one frame takes them all");
    machine_settle();
    got = decode(machine.sent, machine.sent_size, 2);
    CHECK_EQ(got.count, 2); /* SYNC and it */
    if (got.count == 2)
        CHECK(got.frames[1].kind == LOG_KIND_BATCH && got.frames[1].size == batch_vector.size &&
                  memcmp(got.frames[1].body, batch_vector.body, batch_vector.size) == 0,
              "the batch vector");
    decode_free(&got);
}

void test_sync_vectors(void)
{
    for (size_t i = 0; i < COUNT(sync_vectors); i++) {
        const struct sync_vector *v = &sync_vectors[i];
        unsigned context = LOG_CONTEXTS;
        struct decoded got;

        machine_start_open(4, LOG_SYNC);
        for (unsigned c = LOG_CONTEXTS; c-- > 0;) {
            log_set(log_state.lane[0].writer[c].frames, v->counters[c].frames);
            log_set(log_state.lane[0].writer[c].dropped, v->counters[c].dropped);
            if (v->counters[c].frames != 0)
                context = c;
        }
        machine_context = context == LOG_CONTEXTS ? LOG_PANIC : context;
        log_set(log_state.lane[0].identified, !v->has_identity);
        log_set(log_state.lane[0].identity_time, v->time);
        if (v->has_identity) {
            struct log_bank *bank = &log_state.area->bank[log_state.area->current];

            log_state.tag_bits = v->identity.t;
            log_state.cpus = v->identity.cpus;
            log_state.shift = v->identity.shift;
            bank->epoch = v->identity.epoch;
            bank->tsc_khz = v->identity.tsc_khz;
            log_cpu_online(0, v->identity.apic_id);
        }
        machine.clock = (v->time << log_state.shift) - 1;
        machine.tick = 1;
        log_info("after a SYNC");
        machine_settle();
        got = decode(machine.sent, machine.sent_size, log_state.tag_bits);
        CHECK_EQ(got.count, 2);
        CHECK(got.count == 2 && got.frames[0].kind == LOG_KIND_SYNC && got.frames[0].size == v->size &&
                  memcmp(got.frames[0].body, v->body, v->size) == 0,
              "SYNC vector %zu", i);
        decode_free(&got);
    }
}

void test_banner_vector(void)
{
    const struct log_config config = machine_config(4, LOG_SYNC);

    machine_start(4);
    machine_reset(4);
    CHECK_EQ(log_open_wire(&config), LOG_OK); /* epoch 2, which leaves one record */
    log_info("before the reset");
    machine_forget();
    machine_reset(4);
    CHECK_EQ(log_open_wire(&config), LOG_OK);
    machine_settle();
    CHECK(machine.sent_size == sizeof(banner_vector) - 1 &&
              memcmp(machine.sent, banner_vector, sizeof(banner_vector) - 1) == 0,
          "banner is: %.*s", (int)machine.sent_size, (char *)machine.sent);
}
