/*
 * core/string.c against plain loops: all small sizes and distances, at all alignments, and bytes around the
 * target stay. The functions are compiled here under other names, since the rest of the test uses the C
 * library's.
 */
#include "core/test/check.h"

#define memcpy  our_memcpy
#define memmove our_memmove
#define memset  our_memset
#define memcmp  our_memcmp
#define strlen  our_strlen
#define strnlen our_strnlen
#define strcmp  our_strcmp
#include "core/string.c"

enum { ROOM = 96 };

static void fill(unsigned char *bytes)
{
    for (unsigned i = 0; i < ROOM; i++)
        bytes[i] = (unsigned char)(i * 7 + 1);
}

static bool same(const unsigned char *left, const unsigned char *right)
{
    for (unsigned i = 0; i < ROOM; i++)
        if (left[i] != right[i])
            return false;
    return true;
}

static bool moves_as_expected(unsigned to, unsigned from, unsigned size)
{
    unsigned char original[ROOM], moved[ROOM], expected[ROOM];
    fill(original);
    fill(moved);
    fill(expected);
    for (unsigned i = 0; i < size; i++)
        expected[to + i] = original[from + i];
    if (our_memmove(moved + to, moved + from, size) != moved + to || !same(moved, expected))
        return false;
    if (to >= from + size || from >= to + size) {
        fill(moved);
        our_memcpy(moved + to, moved + from, size);
    }
    return same(moved, expected);
}

static bool sets_as_expected(unsigned to, unsigned size)
{
    unsigned char bytes[ROOM], expected[ROOM];
    fill(bytes);
    fill(expected);
    for (unsigned i = 0; i < size; i++)
        expected[to + i] = 0xa5;
    return our_memset(bytes + to, 0x1a5, size) == bytes + to && same(bytes, expected);
}

void test_string(void)
{
    unsigned wrong = 0;
    for (unsigned size = 0; size <= 40; size++)
        for (unsigned to = 0; to <= 50; to++) {
            wrong += !sets_as_expected(to, size);
            for (unsigned from = 0; from <= 50; from++)
                wrong += !moves_as_expected(to, from, size);
        }
    CHECK(wrong == 0);
    CHECK(our_memcmp("abc", "abd", 2) == 0);
    CHECK(our_memcmp("abc", "abd", 3) < 0);
    CHECK(our_memcmp("\xff", "\x01", 1) > 0);
    CHECK(our_strcmp("ab", "ab") == 0 && our_strcmp("ab", "abc") < 0 && our_strcmp("\xff", "a") > 0);
    CHECK(our_strnlen("four", 3) == 3 && our_strnlen("four", 9) == 4);
    CHECK(our_strlen("") == 0 && our_strlen("four") == 4);
}
