/* Frames and symbols (FORMAT.md, "Tagged bytes" and "Frames"): pure functions, from bytes to bytes. */
#ifndef LOG_FRAME_H
#define LOG_FRAME_H

#include <stddef.h>
#include <stdint.h>
#include "log/wire.h"

/* Symbols of the longest frame: with p = 3 a symbol may carry 2 bits only; START and END. */
enum { LOG_WIRE_MAX = LOG_FRAME_MAX * 8 / 2 + 2 };

/* Continues a CRC from `crc`; the first is LOG_CRC_INIT, and the last is to be inverted. */
uint16_t log_crc16(uint16_t crc, const uint8_t *data, size_t size);

/*
 * Closes the frame of `size` bytes (header and body, at most LOG_FRAME_MAX - 2) with its CRC, which goes to
 * the two bytes behind, and packs it for `lane` of a wire with `tag_bits`. Returns how many bytes of `wire`
 * it took.
 */
unsigned log_frame_pack(uint8_t wire[LOG_WIRE_MAX], uint8_t *frame, unsigned size, unsigned lane,
                        unsigned tag_bits);

/*
 * Writes as much of `time` as a reader needs who knows a time less than or equal to it that is `passed`
 * older (FORMAT.md, "Bodies"): at most 10 bytes. Returns its end.
 */
static inline uint8_t *log_put_time(uint8_t *out, uint64_t time, uint64_t passed)
{
    while (passed > 0x7f) {
        *out++ = (uint8_t)(time | 0x80);
        time >>= 7;
        passed >>= 7;
    }
    *out++ = (uint8_t)(time & 0x7f);
    return out;
}

/* Writes a varint, at most 10 bytes; returns its end. */
static inline uint8_t *log_put_varint(uint8_t *out, uint64_t value)
{
    while (value > 0x7f) {
        *out++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *out++ = (uint8_t)value;
    return out;
}

#endif
