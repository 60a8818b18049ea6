/* CRC and symbols. See frame.h. */
#include "log/frame.h"

/* CRC of each nibble, for two steps a byte: a table of 32 bytes instead of 512 costs little and leaves the
 * cache alone. */
static const uint16_t crc_of_nibble[16] = {
    0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
    0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef,
};

uint16_t log_crc16(uint16_t crc, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        crc = (uint16_t)(crc << 4) ^ crc_of_nibble[crc >> 12 ^ data[i] >> 4];
        crc = (uint16_t)(crc << 4) ^ crc_of_nibble[crc >> 12 ^ (data[i] & 0xf)];
    }
    return crc;
}

unsigned log_frame_pack(uint8_t wire[LOG_WIRE_MAX], uint8_t *frame, unsigned size, unsigned lane,
                        unsigned tag_bits)
{
    const unsigned p = 8 - tag_bits, mask = (1u << p) - 1, ones = mask >> 2;
    const uint8_t tag = (uint8_t)(lane << p), lane_byte = (uint8_t)lane;
    uint16_t crc = log_crc16(log_crc16(LOG_CRC_INIT, &lane_byte, 1), frame, size) ^ LOG_CRC_FINAL;
    uint32_t pending = 0; /* bits not sent yet, the next one on top of `bits` */
    unsigned bits = 0, used = 0;

    frame[size] = (uint8_t)(crc >> 8);
    frame[size + 1] = (uint8_t)crc;
    wire[used++] = (uint8_t)(tag | mask); /* START */
    for (unsigned i = 0; i < size + 2 || bits > 0;) {
        unsigned symbol, taken = p;

        if (bits < p && i < size + 2) {
            pending = pending << 8 | frame[i++];
            bits += 8;
            continue;
        }
        symbol = (bits < p ? pending << (p - bits) : pending >> (bits - p)) &
                 mask;             /* the last is padded with zeros */
        if (symbol >> 2 == ones) { /* could become START or END: a stuffed 0, then only one bit more */
            symbol = (symbol & ~3u) | (symbol >> 1 & 1);
            taken--;
        }
        bits -= bits < taken ? bits : taken;
        wire[used++] = (uint8_t)(tag | symbol);
    }
    wire[used++] = (uint8_t)(tag | (mask - 1)); /* END */
    return used;
}
