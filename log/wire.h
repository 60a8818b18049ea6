/*
 * The constants of the wire (FORMAT.md) and of the rings. The single source: log/gen_wire.py makes
 * decoder/wire.py of them, so each line is `#define NAME number`, decimal or hexadecimal, and nothing else is
 * defined here.
 */
#ifndef LOG_WIRE_H
#define LOG_WIRE_H

#define LOG_FORMAT_VERSION 2
#define LOG_MAX_TAG_BITS   5

/* Frames: header = context << 6 | kind << 4 | sequence. */
#define LOG_KIND_RECORD     0
#define LOG_KIND_BATCH      1
#define LOG_KIND_SYNC       2
#define LOG_FRAME_MAX       160
#define LOG_BATCH_TIME_BITS 5
#define LOG_BATCH_TIME      31
#define LOG_BATCH_SIZE      7
#define LOG_CRC_POLY        0x1021
#define LOG_CRC_INIT        0xffff
#define LOG_CRC_FINAL       0xffff
#define LOG_CRC_CHECK       0xd64e

/* SYNC. */
#define LOG_SYNC_IDENTITY  0x01
#define LOG_SYNC_COUNTERS  0x10
#define LOG_SYNC_FRAMES    256
#define LOG_IDENTITY_UNITS 0x100000
#define LOG_BUILD_ID_SIZE  8

/* The ELF section braid_log. */
#define LOG_SITE_SIZE    64
#define LOG_MAX_ARGS     10
#define LOG_TYPE_S32     1
#define LOG_TYPE_U32     2
#define LOG_TYPE_S64     3
#define LOG_TYPE_U64     4
#define LOG_TYPE_POINTER 5
#define LOG_TYPE_STRING  6
#define LOG_TYPE_CHAR    7

/* Memory: a header page, then two banks of rings. */
#define LOG_AREA_MAGIC   0x474f4c4449415242
#define LOG_AREA_VERSION 1
#define LOG_SLOT_SIZE    128
#define LOG_SLOT_PAYLOAD 104
#define LOG_RING_ONLY    0x80

#endif
