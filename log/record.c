/*
 * From a call site to a record in the ring of this CPU and context. Any context. The cost that every caller
 * pays is here: no locked instruction, no division, and no memory touched but the slot, the writer and the
 * arguments.
 */
#include "log/frame.h"
#include "log/send.h"
#include "log/writer.h"
#include "log_env.h"

_Atomic int log_finest = LOG_TRACE;

/* The slot for the next record; NULL, and counted, where there is no writer. */
static inline struct log_slot *begin(struct log_writer *writer)
{
    if (__builtin_expect(writer == NULL, 0)) {
        atomic_fetch_add_explicit(&log_state.homeless, 1, memory_order_relaxed);
        return NULL;
    }
    return log_ring_begin(&writer->ring, log_get(writer->ring.head) + 1);
}

/* Publishes the record whose payload stands in `slot` up to `end`, and sends it where the mode says so. */
static inline void finish(struct log_writer *writer, struct log_slot *slot, uint32_t site, const uint8_t *end)
{
    const uint8_t level = (uint8_t)site;
    const bool wire = level <= log_get(log_state.wire_level);
    const uint32_t serial = log_get(writer->serial) + wire;

    slot->tsc = log_clock();
    slot->serial = serial;
    slot->id = (uint16_t)(site >> 8);
    slot->size = (uint8_t)(end - slot->payload);
    slot->level = wire ? level : level | LOG_RING_ONLY;
    log_set(writer->serial, serial);
    log_ring_publish(&writer->ring, slot, log_get(writer->ring.head) + 1);
    if (wire && log_get(log_state.sync))
        log_send_own(writer);
}

void log_record(uint32_t site, unsigned count, const uint64_t *args)
{
    struct log_writer *writer = log_self();
    struct log_slot *slot = begin(writer);
    uint8_t *out;

    if (slot == NULL)
        return;
    out = slot->payload;
    for (unsigned i = 0; i < count; i++)
        out = log_put_varint(out, args[i]);
    finish(writer, slot, site, out);
}

/* Copies `text`, at most `room` bytes (< 128); its length, and whether it was cut, stand before it in at most
 * 2 bytes. */
static uint8_t *put_string(uint8_t *out, const char *text, size_t room)
{
    size_t length = 0;

    if (text == NULL)
        text = "(null)";
    while (length < room && text[length] != '\0')
        length++;
    out = log_put_varint(out, length << 1 | (text[length] != '\0'));
    for (size_t i = 0; i < length; i++)
        *out++ = (uint8_t)text[i];
    return out;
}

void log_record_strings(uint32_t site, unsigned count, const uint64_t *args, unsigned strings)
{
    struct log_writer *writer = log_self();
    struct log_slot *slot = begin(writer);
    uint8_t *out;

    if (slot == NULL)
        return;
    out = slot->payload;
    for (unsigned i = 0; i < count; i++) {
        if (strings >> i & 1) {
            /* Leave 10 bytes for each argument to come, and 2 for this one's length: at least 8 remain. */
            size_t room = LOG_SLOT_PAYLOAD - (size_t)(out - slot->payload) - 10 * (count - 1 - i) - 2;

            out = put_string(out, (const char *)(uintptr_t)args[i], room);
        } else {
            out = log_put_varint(out, args[i]);
        }
    }
    finish(writer, slot, site, out);
}

void log_text(enum log_level level, const char *text)
{
    enum { ROOM = LOG_SLOT_PAYLOAD - 1, RECORDS = 4 };

    if ((int)level > log_get(log_finest))
        return;
    for (unsigned n = 1; n <= RECORDS; n++) {
        struct log_writer *writer = log_self();
        struct log_slot *slot = begin(writer);
        uint8_t *out;

        if (slot == NULL)
            return;
        out = slot->payload;
        *out++ = (uint8_t)level;
        for (unsigned i = 0; i < ROOM && *text != '\0'; i++)
            *out++ = (uint8_t)*text++;
        if (n == RECORDS && *text != '\0')
            out[-1] = out[-2] = out[-3] = '.';
        finish(writer, slot, (uint32_t)level, out);
        if (*text == '\0')
            return;
    }
}
