/* A small decoder for the tests. See decode.h. */
#include <stdlib.h>
#include <string.h>
#include "log/test/decode.h"

enum { DEPTH = 8, BITS_MAX = DECODE_BODY_MAX * 8 };

struct open_frame {
    size_t bits;
    unsigned symbols;
    uint8_t bit[BITS_MAX];
};

struct lane {
    unsigned depth;
    struct open_frame open[DEPTH];
};

static uint16_t crc16(uint16_t crc, uint8_t byte)
{
    crc ^= (uint16_t)(byte << 8);
    for (int i = 0; i < 8; i++)
        crc = crc & 0x8000 ? (uint16_t)(crc << 1 ^ 0x1021) : (uint16_t)(crc << 1);
    return crc;
}

static unsigned number(const uint8_t *bit, unsigned bits)
{
    unsigned value = 0;

    for (unsigned i = 0; i < bits; i++)
        value = value << 1 | bit[i];
    return value;
}

static unsigned context_of(const struct open_frame *open)
{
    return number(open->bit, 2);
}

/* The frame that END closed, checked. */
static void close_frame(struct decoded *out, unsigned lane, const struct open_frame *open)
{
    const size_t size = open->bits / 8;
    struct decoded_frame *frame = &out->frames[out->count];
    uint16_t crc = crc16(0xffff, (uint8_t)lane);
    uint8_t data[DECODE_BODY_MAX];

    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)number(open->bit + 8 * i, 8);
    for (size_t i = 0; i + 2 < size; i++)
        crc = crc16(crc, data[i]);
    crc ^= 0xffff;
    if (size < 3 || number(open->bit + 8 * size, (unsigned)(open->bits - 8 * size)) != 0 ||
        crc != (data[size - 2] << 8 | data[size - 1])) {
        out->lost++;
        return;
    }
    *frame = (struct decoded_frame){
        .lane = lane, .context = data[0] >> 6, .kind = data[0] >> 4 & 3, .seq = data[0] & 15};
    frame->size = size - 3;
    memcpy(frame->body, data + 1, frame->size);
    out->count++;
}

/* The newest frame of the lane now has its header: those of its context and above are abandoned. */
static void settle_nesting(struct decoded *out, struct lane *lane)
{
    const unsigned newest = lane->depth - 1;
    unsigned kept = 0;

    for (unsigned i = 0; i < newest; i++) {
        if (lane->open[i].symbols != 0 && context_of(&lane->open[i]) >= context_of(&lane->open[newest]))
            out->lost++;
        else
            lane->open[kept++] = lane->open[i];
    }
    lane->open[kept++] = lane->open[newest];
    lane->depth = kept;
}

static void add_symbol(struct decoded *out, struct lane *lane, unsigned symbol, unsigned p)
{
    struct open_frame *open = &lane->open[lane->depth - 1];
    const unsigned ones = (1u << (p - 2)) - 1;

    for (unsigned i = 0; i < p; i++) {
        if (i == p - 2 && symbol >> 2 == ones)
            continue; /* the stuffed bit */
        if (open->bits < BITS_MAX)
            open->bit[open->bits++] = symbol >> (p - 1 - i) & 1;
    }
    if (open->symbols++ == 0)
        settle_nesting(out, lane);
}

struct decoded decode(const uint8_t *wire, size_t size, unsigned tag_bits)
{
    const unsigned p = 8 - tag_bits, mask = (1u << p) - 1, lanes = 1u << tag_bits;
    struct lane *lane = calloc(lanes, sizeof(*lane));
    struct decoded out = {.frames = calloc(size / 3 + 1, sizeof(*out.frames))};

    for (size_t i = 0; i < size; i++) {
        struct lane *l = &lane[wire[i] >> p & (lanes - 1)];
        const unsigned symbol = wire[i] & mask;

        if (symbol == mask) {
            if (l->depth == DEPTH) {
                out.lost++;
                l->depth--;
            }
            l->open[l->depth].bits = 0;
            l->open[l->depth++].symbols = 0;
        } else if (l->depth == 0) {
            out.stray++;
        } else if (symbol == mask - 1) {
            l->depth--;
            close_frame(&out, (unsigned)(l - lane), &l->open[l->depth]);
        } else {
            add_symbol(&out, l, symbol, p);
        }
    }
    for (unsigned i = 0; i < lanes; i++)
        out.lost += lane[i].depth;
    free(lane);
    return out;
}

void decode_free(struct decoded *decoded)
{
    free(decoded->frames);
}

uint64_t decode_varint(const uint8_t **at)
{
    uint64_t value = 0;

    for (unsigned shift = 0;; shift += 7) {
        const uint8_t byte = *(*at)++;

        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80 || shift >= 63)
            return value;
    }
}

size_t decode_batch_head(const uint8_t **at)
{
    unsigned head;
    size_t size;

    decode_varint(at); /* id */
    head = *(*at)++;
    size = head >> 5;
    if (size == 7)
        size += decode_varint(at);
    if ((head & 31) == 31)
        decode_varint(at); /* time */
    return size;
}
