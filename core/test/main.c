/*
 * Runs the host's unit tests of core/ and prints the totals. Arguments: the file of insn_cases.py, and a
 * kernel image that may be missing.
 */
#define _GNU_SOURCE
#include "core/test/check.h"
#include "core/view.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "core/guest/memmap.h"
#include "core/hypapp.h"

static unsigned passed, failed, skipped;

bool check(bool ok, const char *file, int line, const char *what)
{
    if (ok) {
        passed++;
    } else {
        failed++;
        printf("%s:%d: failed: %s\n", file, line, what);
    }
    return ok;
}

void skip(const char *reason)
{
    skipped++;
    printf("skipped: %s\n", reason);
}

uint32_t random32(void)
{
    static uint64_t state = 1;
    state = state * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(state >> 32);
}

enum { PAGES = MEMORY_END / 4096 };
static uint8_t protections[PAGES];

bool memory_reserve(void)
{
    void *start = (void *)(uintptr_t)MEMORY_START;
    return mmap(start, MEMORY_END - MEMORY_START, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) == start;
}

void memory_reset(void)
{
    madvise((void *)(uintptr_t)MEMORY_START, MEMORY_END - MEMORY_START, MADV_DONTNEED);
    memset(protections, ACCESS_RWX, sizeof protections);
    memmap_reset();
    CHECK(memmap_add(MEMORY_START, MEMORY_END, MEMORY_RAM) == 0);
}

void memory_protect(uint64_t gpa, unsigned prot)
{
    protections[gpa / PAGE_SIZE] = (uint8_t)prot;
}

/* What the page walks need of core/view.c. */
void *view_memory(const struct view *view, uint64_t gpa, unsigned access)
{
    (void)view;
    bool allowed = gpa < MEMORY_END && (protections[gpa / PAGE_SIZE] & access) == access;
    return allowed && memmap_is_ram(gpa & PAGE_MASK, PAGE_SIZE) ? (void *)(uintptr_t)(gpa & PAGE_MASK) : NULL;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s INSN-CASES VMLINUZ\n", argv[0]);
        return 2;
    }
    test_string();
    test_memmap();
    test_probe();
    test_explain();
    test_view();
    test_insn(argv[1]);
    if (memory_reserve()) {
        test_walk();
        test_copy();
        test_linux();
        test_linux_overlaps();
        test_linux_real(argv[2]);
    } else {
        skip("page walks and the Linux loader: low addresses cannot be mapped here (sysctl vm.mmap_min_addr "
             "should be at most 65536)");
    }
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed != 0;
}
