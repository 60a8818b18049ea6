/*
 * Memory functions for a world without a C library. String instructions do the bulk: they are quick on real
 * CPUs and take eight bytes a step in emulators. None sets the direction flag: an NMI may come at any
 * instruction.
 */
#include "core/string.h"

#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    void *target = to;
    size_t words = size / 8, rest = size % 8;
    __asm__ volatile("rep movsq" : "+D"(target), "+S"(from), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(target), "+S"(from), "+c"(rest) : : "memory");
    return to;
}

/* The compiler would make a call of memmove of this loop. */
__attribute__((optimize("no-tree-loop-distribute-patterns"))) void *memmove(void *to, const void *from,
                                                                            size_t size)
{
    unsigned char *target = to;
    const unsigned char *source = from;
    if ((uintptr_t)to - (uintptr_t)from >= size)
        return memcpy(to, from, size); /* ascending never overwrites what is still to be read */
    while (size % 8) {
        size--;
        target[size] = source[size];
    }
    while (size) {
        uint64_t word;
        size -= 8;
        __builtin_memcpy(&word, source + size, 8);
        __builtin_memcpy(target + size, &word, 8);
    }
    return to;
}

void *memset(void *to, int byte, size_t size)
{
    void *target = to;
    uint64_t pattern = (uint8_t)byte * 0x0101010101010101ull;
    size_t words = size / 8, rest = size % 8;
    __asm__ volatile("rep stosq" : "+D"(target), "+c"(words) : "a"(pattern) : "memory");
    __asm__ volatile("rep stosb" : "+D"(target), "+c"(rest) : "a"(pattern) : "memory");
    return to;
}

int memcmp(const void *left, const void *right, size_t size)
{
    const unsigned char *a = left, *b = right;
    for (size_t i = 0; i < size; i++)
        if (a[i] != b[i])
            return a[i] - b[i];
    return 0;
}

__attribute__((optimize("no-tree-loop-distribute-patterns"))) size_t strlen(const char *string)
{
    size_t length = 0;
    while (string[length])
        length++;
    return length;
}

size_t strnlen(const char *string, size_t max)
{
    size_t n = 0;
    while (n < max && string[n])
        n++;
    return n;
}

int strcmp(const char *left, const char *right)
{
    while (*left && *left == *right)
        left++, right++;
    return (unsigned char)*left - (unsigned char)*right;
}
