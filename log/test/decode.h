/* A small decoder for the tests: from the bytes of the wire to frames, by FORMAT.md. Users run decoder/. */
#ifndef LOG_TEST_DECODE_H
#define LOG_TEST_DECODE_H

#include <stddef.h>
#include <stdint.h>

enum { DECODE_BODY_MAX = 400 };

struct decoded_frame {
    unsigned lane, context, kind, seq;
    size_t size; /* of the body */
    uint8_t body[DECODE_BODY_MAX];
};

struct decoded {
    struct decoded_frame *frames;
    size_t count;
    unsigned lost;  /* frames abandoned, left open, or with a wrong CRC */
    unsigned stray; /* bytes while no frame was open on their lane */
};

/* The result is the caller's: decode_free() it. */
struct decoded decode(const uint8_t *wire, size_t size, unsigned tag_bits);
void decode_free(struct decoded *decoded);

/* Reads a varint and moves *at behind it. */
uint64_t decode_varint(const uint8_t **at);

/* Moves *at, in a BATCH, from a record to its arguments; returns how many bytes they have. */
size_t decode_batch_head(const uint8_t **at);

#endif
