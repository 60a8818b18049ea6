/*
 * Call sites: what stands behind log_info() and its siblings.
 *
 * Each site puts a struct log_site into section braid_log.LOG_INFO and so on, and its strings into braid_log_str.
 * log/braid_log.ld collects both in an output section that is not loaded, so a site must never be read at run
 * time: all that the running code takes from it is its index, the id. Arguments become 64-bit values here, by
 * type; record.c encodes them.
 */
#ifndef LOG_SITE_H
#define LOG_SITE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "log/wire.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE };

struct log_site {
    const char *format;
    const char *file;
    const char *function;
    uint32_t line;
    uint8_t level;
    uint8_t count;
    uint8_t types[LOG_MAX_ARGS];
    uint8_t zero[24];
};
_Static_assert(sizeof(struct log_site) == LOG_SITE_SIZE, "the decoder reads sites of this size");

extern const struct log_site log_sites[]; /* from log/braid_log.ld: entry 0, reserved for text records */
extern _Atomic int log_finest;            /* records of a finer level are not made at all */

/* `site` is the site's address + its level. Strings are bounded to the room in a slot; `strings` has bit i
 * set if argument i is one. */
void log_record_0(uintptr_t site);
void log_record_1(uintptr_t site, uint64_t a);
void log_record_2(uintptr_t site, uint64_t a, uint64_t b);
void log_record_3(uintptr_t site, uint64_t a, uint64_t b, uint64_t c);
void log_record_n(uintptr_t site, unsigned count, const uint64_t *args);
void log_record_strings(uintptr_t site, unsigned count, const uint64_t *args, unsigned strings);

/* Never called: makes the compiler check the format. */
__attribute__((format(printf, 1, 2))) static inline void log_check(const char *format, ...)
{
    (void)format;
}

static inline uint64_t log_signed(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}
static inline uint64_t log_unsigned(uint64_t value)
{
    return value;
}
static inline uint64_t log_char(char value)
{
    return (uint8_t)value;
}
static inline uint64_t log_pointer(const volatile void *value)
{
    return (uintptr_t)value;
}

/* clang-format off */
#define LOG_TYPE(x) _Generic((x), \
    char: LOG_TYPE_CHAR, signed char: LOG_TYPE_S32, short: LOG_TYPE_S32, int: LOG_TYPE_S32, \
    _Bool: LOG_TYPE_U32, unsigned char: LOG_TYPE_U32, unsigned short: LOG_TYPE_U32, unsigned: LOG_TYPE_U32, \
    long: LOG_TYPE_S64, long long: LOG_TYPE_S64, unsigned long: LOG_TYPE_U64, unsigned long long: LOG_TYPE_U64, \
    char *: LOG_TYPE_STRING, const char *: LOG_TYPE_STRING, default: LOG_TYPE_POINTER)
#define LOG_VALUE(x) _Generic((x), \
    char: log_char, signed char: log_signed, short: log_signed, int: log_signed, \
    _Bool: log_unsigned, unsigned char: log_unsigned, unsigned short: log_unsigned, unsigned: log_unsigned, \
    long: log_signed, long long: log_signed, unsigned long: log_unsigned, unsigned long long: log_unsigned, \
    default: log_pointer)(x)
#define LOG_IS_STRING(x) (LOG_TYPE(x) == LOG_TYPE_STRING)

/* The number of arguments after the format. */
#define LOG_COUNT(...) LOG_PICK(__VA_ARGS__, more_than_10, more_than_10, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, )
#define LOG_PICK(f, a, b, c, d, e, g, h, i, j, k, l, m, n, ...) n
#define LOG_JOIN(a, b) LOG_JOIN_(a, b)
#define LOG_JOIN_(a, b) a##b

/* LOG_EACH(m, format, a, b, c) is m(a), m(b), m(c). */
#define LOG_EACH(m, ...) LOG_JOIN(LOG_EACH_, LOG_COUNT(__VA_ARGS__))(m, __VA_ARGS__)
#define LOG_EACH_0(m, f)
#define LOG_EACH_1(m, f, a) m(a)
#define LOG_EACH_2(m, f, a, ...) m(a), LOG_EACH_1(m, f, __VA_ARGS__)
#define LOG_EACH_3(m, f, a, ...) m(a), LOG_EACH_2(m, f, __VA_ARGS__)
#define LOG_EACH_4(m, f, a, ...) m(a), LOG_EACH_3(m, f, __VA_ARGS__)
#define LOG_EACH_5(m, f, a, ...) m(a), LOG_EACH_4(m, f, __VA_ARGS__)
#define LOG_EACH_6(m, f, a, ...) m(a), LOG_EACH_5(m, f, __VA_ARGS__)
#define LOG_EACH_7(m, f, a, ...) m(a), LOG_EACH_6(m, f, __VA_ARGS__)
#define LOG_EACH_8(m, f, a, ...) m(a), LOG_EACH_7(m, f, __VA_ARGS__)
#define LOG_EACH_9(m, f, a, ...) m(a), LOG_EACH_8(m, f, __VA_ARGS__)
#define LOG_EACH_10(m, f, a, ...) m(a), LOG_EACH_9(m, f, __VA_ARGS__)

/* LOG_MASK(m, format, a, b, c) is m(a) | m(b) << 1 | m(c) << 2. */
#define LOG_MASK(m, ...) LOG_JOIN(LOG_MASK_, LOG_COUNT(__VA_ARGS__))(m, __VA_ARGS__)
#define LOG_MASK_0(m, f) 0u
#define LOG_MASK_1(m, f, a) m(a)
#define LOG_MASK_2(m, f, a, ...) (m(a) + 2u * LOG_MASK_1(m, f, __VA_ARGS__))
#define LOG_MASK_3(m, f, a, ...) (m(a) + 2u * LOG_MASK_2(m, f, __VA_ARGS__))
#define LOG_MASK_4(m, f, a, ...) (m(a) + 2u * LOG_MASK_3(m, f, __VA_ARGS__))
#define LOG_MASK_5(m, f, a, ...) (m(a) + 2u * LOG_MASK_4(m, f, __VA_ARGS__))
#define LOG_MASK_6(m, f, a, ...) (m(a) + 2u * LOG_MASK_5(m, f, __VA_ARGS__))
#define LOG_MASK_7(m, f, a, ...) (m(a) + 2u * LOG_MASK_6(m, f, __VA_ARGS__))
#define LOG_MASK_8(m, f, a, ...) (m(a) + 2u * LOG_MASK_7(m, f, __VA_ARGS__))
#define LOG_MASK_9(m, f, a, ...) (m(a) + 2u * LOG_MASK_8(m, f, __VA_ARGS__))
#define LOG_MASK_10(m, f, a, ...) (m(a) + 2u * LOG_MASK_9(m, f, __VA_ARGS__))

/* LOG_RECORD(site, format, a, b) is log_record_2(site, a, b); from 4 arguments on they go by an array. */
#define LOG_RECORD(site, ...) LOG_PICK(__VA_ARGS__, LOG_BY_N, LOG_BY_N, LOG_BY_N, LOG_BY_N, LOG_BY_N, LOG_BY_N, \
    LOG_BY_N, LOG_BY_N, LOG_BY_N, LOG_BY_3, LOG_BY_2, LOG_BY_1, LOG_BY_0, )(site, __VA_ARGS__)
#define LOG_BY_0(site, f) log_record_0(site)
#define LOG_BY_1(site, f, a) log_record_1(site, LOG_VALUE(a))
#define LOG_BY_2(site, f, a, b) log_record_2(site, LOG_VALUE(a), LOG_VALUE(b))
#define LOG_BY_3(site, f, a, b, c) log_record_3(site, LOG_VALUE(a), LOG_VALUE(b), LOG_VALUE(c))
#define LOG_BY_N(site, ...) log_record_n(site, LOG_COUNT(__VA_ARGS__), LOG_VALUES(__VA_ARGS__))
#define LOG_VALUES(...) (const uint64_t[]){LOG_EACH(LOG_VALUE, __VA_ARGS__)}

#define LOG_FORMAT(...) LOG_FORMAT_(__VA_ARGS__, )
#define LOG_FORMAT_(format, ...) format
#define LOG_UNLOADED(name) __attribute__((section(name), used))

#define LOG_AT(severity, ...) do { \
    static const char log_format_[] LOG_UNLOADED("braid_log_str") = LOG_FORMAT(__VA_ARGS__); \
    static const char log_file_[] LOG_UNLOADED("braid_log_str") = __FILE__; \
    static const struct log_site log_site_ LOG_UNLOADED("braid_log." #severity) __attribute__((aligned(LOG_SITE_SIZE))) = { \
        .format = log_format_, .file = log_file_, .function = __func__, .line = __LINE__, .level = (severity), \
        .count = LOG_COUNT(__VA_ARGS__), .types = {LOG_EACH(LOG_TYPE, __VA_ARGS__)}, \
    }; \
    if (0) \
        log_check(__VA_ARGS__); \
    if ((severity) < 1 + atomic_load_explicit(&log_finest, memory_order_relaxed)) { \
        if (LOG_MASK(LOG_IS_STRING, __VA_ARGS__) == 0) \
            LOG_RECORD((uintptr_t)&log_site_ + (severity), __VA_ARGS__); \
        else \
            log_record_strings((uintptr_t)&log_site_ + (severity), LOG_COUNT(__VA_ARGS__), \
                               LOG_VALUES(__VA_ARGS__), LOG_MASK(LOG_IS_STRING, __VA_ARGS__)); \
    } \
} while (0)
/* clang-format on */

#endif
