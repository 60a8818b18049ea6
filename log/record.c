/*
 * From a call site to a record in the ring of this CPU and context. Any context. The cost that every caller
 * pays is here: no locked instruction, no fence that the CPU sees (on x86 stores keep their order), no
 * division, and no memory touched but the slot, the writer and the arguments. Up to three arguments come
 * in registers and nothing is saved on the stack, since sending, where it is due, is a tail call.
 */
#include "log/frame.h"
#include "log/send.h"
#include "log/writer.h"
#include "log_env.h"

_Atomic int log_finest = LOG_TRACE;

/* A record being made: number `n` of the writer's ring. */
struct making {
    struct log_writer *writer;
    struct log_slot *slot;
    uint64_t n;
};

/* Opens the slot for the next record; false, and counted, where there is no writer. */
static inline bool begin(struct making *making)
{
    making->writer = log_self();
    if (__builtin_expect(making->writer == NULL, 0)) {
        atomic_fetch_add_explicit(&log_state.homeless, 1, memory_order_relaxed);
        return false;
    }
    making->n = log_get(making->writer->ring.head) + 1;
    making->slot = log_ring_begin(&making->writer->ring, making->n);
    return true;
}

/* Publishes the record whose payload stands in the slot up to `end`, and sends it where the mode says so. */
static inline void finish(const struct making *making, unsigned id, unsigned level, const uint8_t *end)
{
    struct log_writer *writer = making->writer;
    struct log_slot *slot = making->slot;
    uint32_t serial;
    uint16_t route;
    bool wire;

    /* From the slot, not from its payload: a register less, and nothing has to be saved. */
    slot->size = (uint8_t)(end - (const uint8_t *)slot - offsetof(struct log_slot, payload));
    slot->id = (uint16_t)id;
    slot->tsc = log_clock();
    route = log_get(log_state.route);
    wire = (uint8_t)level <= (uint8_t)route;
    serial = log_get(writer->serial);
    if (wire) {
        log_set(writer->serial, ++serial);
        slot->level = (uint8_t)level;
    } else {
        slot->level = (uint8_t)(level | LOG_RING_ONLY);
    }
    slot->serial = serial;
    log_ring_publish(&writer->ring, slot, making->n);
    if (wire && route & LOG_AT_ONCE)
        log_send_own(writer);
}

/* Sites stand at multiples of LOG_SITE_SIZE from 0 (braid_log.ld), so an address has room for the level below
 * it. */
static inline unsigned id_of(uintptr_t site)
{
    return (unsigned)(site / LOG_SITE_SIZE);
}
static inline unsigned level_of(uintptr_t site)
{
    return (unsigned)(site % LOG_SITE_SIZE);
}

void log_record_0(uintptr_t site)
{
    struct making making;

    if (begin(&making))
        finish(&making, id_of(site), level_of(site), making.slot->payload);
}

void log_record_1(uintptr_t site, uint64_t a)
{
    struct making making;

    if (begin(&making))
        finish(&making, id_of(site), level_of(site), log_put_varint(making.slot->payload, a));
}

void log_record_2(uintptr_t site, uint64_t a, uint64_t b)
{
    struct making making;

    if (begin(&making))
        finish(&making, id_of(site), level_of(site),
               log_put_varint(log_put_varint(making.slot->payload, a), b));
}

void log_record_3(uintptr_t site, uint64_t a, uint64_t b, uint64_t c)
{
    struct making making;

    if (begin(&making))
        finish(&making, id_of(site), level_of(site),
               log_put_varint(log_put_varint(log_put_varint(making.slot->payload, a), b), c));
}

void log_record_n(uintptr_t site, unsigned count, const uint64_t *args)
{
    struct making making;
    uint8_t *out;

    if (!begin(&making))
        return;
    out = making.slot->payload;
    for (unsigned i = 0; i < count; i++)
        out = log_put_varint(out, args[i]);
    finish(&making, id_of(site), level_of(site), out);
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

void log_record_strings(uintptr_t site, unsigned count, const uint64_t *args, unsigned strings)
{
    struct making making;
    uint8_t *out;

    if (!begin(&making))
        return;
    out = making.slot->payload;
    for (unsigned i = 0; i < count; i++) {
        if (strings >> i & 1) {
            /* Leave 10 bytes for each argument to come, and 2 for this one's length: at least 8 remain. */
            size_t room = LOG_SLOT_PAYLOAD - (size_t)(out - making.slot->payload) - 10 * (count - 1 - i) - 2;

            out = put_string(out, (const char *)(uintptr_t)args[i], room);
        } else {
            out = log_put_varint(out, args[i]);
        }
    }
    finish(&making, id_of(site), level_of(site), out);
}

void log_text(enum log_level level, const char *text)
{
    enum { ROOM = LOG_SLOT_PAYLOAD - 1, RECORDS = 4 };

    if ((int)level > log_get(log_finest))
        return;
    for (unsigned n = 1; n <= RECORDS; n++) {
        struct making making;
        uint8_t *out;

        if (!begin(&making))
            return;
        out = making.slot->payload;
        *out++ = (uint8_t)level;
        for (unsigned i = 0; i < ROOM && *text != '\0'; i++)
            *out++ = (uint8_t)*text++;
        if (n == RECORDS && *text != '\0')
            out[-1] = out[-2] = out[-3] = '.';
        finish(&making, 0, level, out);
        if (*text == '\0')
            return;
    }
}
