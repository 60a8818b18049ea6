/* log/vectors.json for C: the types here, the data from log/test/vectors_h.py at build time. */
#ifndef LOG_TEST_VECTORS_H
#define LOG_TEST_VECTORS_H

#include <stddef.h>
#include <stdint.h>

struct crc_vector {
    unsigned crc;
    size_t size;
    const uint8_t *data;
};

struct frame_vector {
    unsigned p, lane, context, kind, seq;
    size_t body_size;
    const uint8_t *body;
    size_t wire_size;
    const uint8_t *wire;
};

struct stream_vector {
    const char *name;
    unsigned t;
    size_t wire_size;
    const uint8_t *wire;
    unsigned lost, stray;
    size_t count;
    struct {
        unsigned lane, context, kind, seq;
        size_t size;
        const uint8_t *body;
    } frames[4];
};

struct record_vector {
    unsigned id;
    uint64_t time;
    unsigned time_size; /* bytes of it that are sent */
    size_t size;
    const uint8_t *record;
    unsigned count;
    struct {
        unsigned type;
        uint64_t value; /* zigzag already, where signed */
        const char *text;
    } arguments[10];
};

struct batch_vector {
    uint64_t before; /* time of the frame before the last one */
    size_t size;
    const uint8_t *body;
    unsigned count;
    struct {
        unsigned id;
        uint64_t time;
        size_t size;
        const uint8_t *payload;
    } records[5];
};

struct sync_vector {
    uint64_t time;
    size_t size;
    const uint8_t *body;
    unsigned has_identity;
    struct {
        unsigned t, cpus, shift, apic_id;
        uint64_t tsc_khz;
        uint32_t epoch;
    } identity;
    struct {
        uint32_t frames, dropped;
    } counters[4];
};

#include "log-vectors.h"

#endif
