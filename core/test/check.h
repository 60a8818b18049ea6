/*
 * The host's unit tests of core/: each test function checks with CHECK, which counts and goes on; main.c
 * calls them all and prints the totals.
 */
#ifndef CORE_TEST_CHECK_H
#define CORE_TEST_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#define CHECK(condition) check((condition), __FILE__, __LINE__, #condition)
bool check(bool passed, const char *file, int line, const char *what);
/* A part that cannot run here; says why. */
void skip(const char *reason);

/* The machine's memory in these tests: at the addresses that the code under test takes for physical ones,
   since it knows only identity-mapped memory. [MEMORY_START, MEMORY_END), zeroed and the only RAM in the
   memory map after memory_reset. */
enum { MEMORY_START = 0x10000, MEMORY_END = 0x10000000 };
bool memory_reserve(void);
void memory_reset(void);

/* The nested permissions that view_prot answers for the page at gpa; RWX until set, and after memory_reset.
 */
void memory_protect(uint64_t gpa, unsigned prot);

/* A repeatable random number. */
uint32_t random32(void);

void test_string(void);
void test_memmap(void);
void test_probe(void);
void test_explain(void);
void test_view(void);
void test_walk(void);
void test_copy(void);
void test_insn(const char *cases);
void test_linux(void);
void test_linux_overlaps(void);
void test_linux_real(const char *vmlinuz);

#endif
