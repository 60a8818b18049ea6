/* From the rings to the wire. See send.h. */
#include "log/send.h"
#include "log/frame.h"
#include "log/owner.h"
#include "log/uart.h"
#include "log_env.h"

/* A place in a ring: the last record dealt with, and its serial. */
struct cursor {
    uint64_t number;
    uint32_t serial;
};

/*
 * Finds the next record for the wire, copies it to `slot` and moves the cursor onto it; false if there is
 * none. Counts in
 * `*lost` the records for the wire that were overwritten before; their serials are missing. Bounded even
 * while the producer, on another CPU, overwrites what we look for.
 */
static bool next_record(const struct log_writer *writer, struct cursor *at, struct log_slot *slot,
                        uint32_t *lost)
{
    const uint64_t slots = writer->ring.mask + 1;

    *lost = 0;
    for (uint64_t looks = 0; looks < 2 * slots; looks++) {
        const uint64_t head =
            atomic_load_explicit(&writer->ring.head, memory_order_acquire); /* (C) in ring.h */
        bool wire;

        if (at->number == head)
            return false;
        if (head - at->number > slots)
            at->number = head - slots;
        at->number++;
        if (!log_ring_read(&writer->ring, at->number, slot))
            continue;
        wire = !(slot->level & LOG_RING_ONLY);
        *lost += slot->serial - wire - at->serial;
        at->serial = slot->serial;
        if (wire)
            return true;
    }
    return false;
}

static struct cursor cursor_of(const struct log_writer *writer)
{
    return (struct cursor){.number = log_get(writer->sent), .serial = log_get(writer->taken)};
}

/* Forward only: a CPU that was stopped in here must not bring back what the panicking one has sent since. */
static void commit(struct log_writer *writer, const struct cursor *at)
{
    if (at->number < log_get(writer->sent))
        return;
    log_set(writer->sent, at->number);
    log_set(writer->taken, at->serial);
}

/* By the rule of uart.c: true if this context may send a byte. */
static bool may_send(struct log_writer *self)
{
    if (self->credit == 0 && log_uart_wait())
        self->credit = log_uart.burst;
    return self->credit != 0;
}

/* Sends one byte. `right` tells whether we hold the right to the wire. */
static bool put_byte(struct log_writer *self, uint8_t byte, const struct log_right *right)
{
    if (!may_send(self))
        return false;
    if (right->held ? !log_owner_keep(self) : log_owner_required())
        return false;
    self->credit--;
    log_uart_put(byte);
    return true;
}

/* In sync mode a call waits for its turn; also a pump, which then has only what an earlier call could not send. */
static bool take_right(struct log_writer *self, struct log_right *right)
{
    if (log_uart.depth == 1 && log_get(log_state.route) & LOG_AT_ONCE)
        return log_owner_wait(self, right);
    return log_owner_try(self, right);
}

/* Sends a frame: frame[0] is for its header, the body follows. False if the UART or the right failed. */
static bool put_frame(struct log_writer *self, struct log_writer *writer, unsigned kind, uint8_t *frame,
                      unsigned size)
{
    uint8_t wire[LOG_WIRE_MAX];
    struct log_right right = {.held = false};
    const uint32_t number = log_get(writer->frames);
    unsigned length, sent = 0;

    if (log_owner_required() && !take_right(self, &right))
        return false;
    if (right.held && log_uart.depth == 1)
        self->credit = 0; /* others have sent since: the proof in uart.c is about FIFOs */
    if (!may_send(self)) {
        log_owner_release(self, &right);
        return false; /* not begun, so not lost: the reader is to see no gap for it */
    }
    frame[0] = (uint8_t)(writer->context << 6 | kind << 4 | (number & 0xf));
    length = log_frame_pack(wire, frame, size, writer->cpu, log_state.tag_bits);
    log_set(writer->frames, number + 1);
    while (sent < length && put_byte(self, wire[sent], &right))
        sent++;
    log_owner_release(self, &right);
    log_add(writer->wire_bytes, sent);
    if (sent < length)
        log_set(writer->synced, false); /* one more lost frame could make the reader's time wrong */
    return sent == length;
}

/* The body of a SYNC of `writer`; counters of the contexts that cannot run now, or are us (FORMAT.md). */
static uint8_t *put_sync_body(uint8_t *out, const struct log_writer *writer, uint64_t time, bool identity)
{
    const struct log_lane *lane = &log_state.lane[writer->cpu];
    const struct log_bank *bank = &log_state.area->bank[log_state.area->current];
    uint8_t *flags = out++;

    *flags = identity ? LOG_SYNC_IDENTITY : 0;
    out = log_put_varint(out, time);
    for (unsigned c = writer->context; c < LOG_CONTEXTS; c++) {
        const struct log_writer *w = &lane->writer[c];

        if (log_get(w->frames) == 0 && log_get(w->dropped) == 0)
            continue;
        *flags |= (uint8_t)(LOG_SYNC_COUNTERS << c);
        out = log_put_varint(out, log_get(w->frames));
        out = log_put_varint(out, log_get(w->dropped));
    }
    if (!identity)
        return out;
    *out++ = LOG_FORMAT_VERSION;
    *out++ = (uint8_t)log_state.tag_bits;
    *out++ = (uint8_t)log_state.cpus;
    *out++ = (uint8_t)log_state.shift;
    out = log_put_varint(out, lane->apic_id);
    out = log_put_varint(out, bank->tsc_khz);
    for (unsigned i = 0; i < 4; i++)
        *out++ = (uint8_t)(bank->epoch >> 8 * i);
    for (unsigned i = 0; i < LOG_BUILD_ID_SIZE; i++)
        *out++ = bank->build_id[i];
    return out;
}

/* The last frame, of this time, has left whole. */
static void set_time(struct log_writer *writer, uint64_t time)
{
    log_set(writer->time_before, log_get(writer->time));
    log_set(writer->time, time);
}

/* Sends a SYNC before a record of this time if FORMAT.md asks for one; false if that failed. */
static bool sync_if_due(struct log_writer *self, struct log_writer *writer, uint64_t time)
{
    struct log_lane *lane = &log_state.lane[writer->cpu];
    const bool identity =
        !log_get(lane->identified) || (int64_t)(time - log_get(lane->identity_time)) >= LOG_IDENTITY_UNITS;
    uint8_t frame[LOG_FRAME_MAX];
    uint8_t *end;

    if (!identity && log_get(writer->synced) &&
        log_get(writer->frames) - log_get(writer->sync_frames) < LOG_SYNC_FRAMES)
        return true;
    end = put_sync_body(frame + 1, writer, time, identity);
    if (!put_frame(self, writer, LOG_KIND_SYNC, frame, (unsigned)(end - frame)))
        return false;
    log_set(writer->sync_frames, log_get(writer->frames));
    set_time(writer, time);
    log_set(writer->synced, true);
    if (identity) {
        log_set(lane->identity_time, time);
        log_set(lane->identified, true);
    }
    return true;
}

/* What passed between the frame before the last one and `time`. */
static uint64_t passed_since_frame_before(const struct log_writer *writer, uint64_t time)
{
    return time - log_get(writer->time_before);
}

static uint64_t time_of(const struct log_slot *slot)
{
    return slot->tsc >> log_state.shift;
}

static uint8_t *put_arguments(uint8_t *out, const struct log_slot *slot)
{
    for (unsigned i = 0; i < slot->size; i++)
        *out++ = slot->payload[i];
    return out;
}

/* A record of a BATCH; `first` of its frame, or `passed` units after the one before. */
static uint8_t *put_in_batch(uint8_t *out, const struct log_slot *slot, uint64_t passed, bool first)
{
    const unsigned size = slot->size < LOG_BATCH_SIZE ? slot->size : LOG_BATCH_SIZE;
    const unsigned delta = !first && passed < LOG_BATCH_TIME ? (unsigned)passed : LOG_BATCH_TIME;

    out = log_put_varint(out, slot->id);
    *out++ = (uint8_t)(size << LOG_BATCH_TIME_BITS | delta);
    if (size == LOG_BATCH_SIZE)
        out = log_put_varint(out, slot->size - LOG_BATCH_SIZE);
    if (delta == LOG_BATCH_TIME)
        out = log_put_time(out, time_of(slot), passed);
    return put_arguments(out, slot);
}

unsigned log_send_frame(struct log_writer *self, struct log_writer *writer, unsigned max_records)
{
    enum { HEAD = 1, CRC = 2, RECORD_MAX = 5 + 10 + LOG_SLOT_PAYLOAD }; /* id and size, time, arguments */
    uint8_t frame[LOG_FRAME_MAX + RECORD_MAX];
    uint8_t *end;
    struct log_slot slot, more;
    struct cursor at = cursor_of(writer), next;
    uint64_t time;
    uint32_t lost;
    unsigned count = 1;
    bool found = next_record(writer, &at, &slot, &lost);

    _Static_assert(HEAD + RECORD_MAX + CRC <= LOG_FRAME_MAX, "any record fits into a frame");
    if (lost != 0) { /* say so where it happened: in a SYNC before the next record */
        log_add(writer->dropped, lost);
        log_set(writer->synced, false);
    }
    if (!found) {
        commit(writer, &at);
        return 0;
    }
    if (lost != 0)
        commit(writer, &(struct cursor){.number = at.number - 1, .serial = at.serial - 1});
    time = time_of(&slot);
    if (!sync_if_due(self, writer, time))
        return 0;
    end = put_in_batch(frame + HEAD, &slot, passed_since_frame_before(writer, time), true);
    for (next = at; count < max_records; count++) {
        uint8_t *next_end;

        if (!next_record(writer, &next, &more, &lost) || lost != 0)
            break;
        next_end = put_in_batch(end, &more, time_of(&more) - time, false);
        if (next_end - frame + CRC > LOG_FRAME_MAX)
            break;
        end = next_end;
        at = next;
        time = time_of(&more);
    }
    if (count == 1) {
        end = log_put_varint(frame + HEAD, slot.id);
        end = put_arguments(log_put_time(end, time, passed_since_frame_before(writer, time)), &slot);
    }
    if (!put_frame(self, writer, count == 1 ? LOG_KIND_RECORD : LOG_KIND_BATCH, frame,
                   (unsigned)(end - frame)))
        return 0;
    set_time(writer, time);
    log_add(writer->records, count);
    commit(writer, &at);
    return count;
}

void log_send_own(struct log_writer *self)
{
    if (log_get(self->busy))
        return;
    while (log_waiting(self) && log_send_frame(self, self, UINT32_MAX) != 0)
        ;
}

void log_send_lane(struct log_writer *self, unsigned max_records)
{
    for (unsigned c = 0; c < LOG_CONTEXTS; c++) {
        struct log_writer *writer = &log_state.lane[self->cpu].writer[c];

        /* What this context logs while we are busy stays in its ring; so look again after each frame, not
         * busy. */
        while (max_records != 0 && log_waiting(writer)) {
            unsigned count;

            log_set(writer->busy, true);
            atomic_signal_fence(
                memory_order_seq_cst); /* for contexts of this CPU: busy before we touch the writer */
            count = log_send_frame(self, writer, max_records);
            atomic_signal_fence(memory_order_seq_cst);
            log_set(writer->busy, false);
            if (count == 0)
                break;
            max_records -= count;
        }
    }
}
