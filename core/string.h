/*
 * The memory functions that the compiler calls by itself, and a few for strings; as in the C library. Any
 * context. Host builds (unit tests) take the host library's.
 */
#ifndef CORE_STRING_H
#define CORE_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *left, const void *right, size_t size);
size_t strlen(const char *string);
size_t strnlen(const char *string, size_t max);
int strcmp(const char *left, const char *right);

#endif
