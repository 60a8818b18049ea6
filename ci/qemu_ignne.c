/*
 * Preloaded into QEMU: takes one instruction out that lets any CPU damage the first one's SVM state.
 *
 * FXRSTOR, XRSTOR, FRSTOR and FLDENV in an emulated CPU end in cpu_clear_ignne() (QEMU 7.2.22,
 * target/i386/tcg/sysemu/fpu_helper.c), which clears a bit of the FIRST CPU's hflags2 by a plain
 * read-modify-write, from whichever thread it runs on and without a lock. The first CPU's own thread keeps
 * there whether GIF is set, whether nested paging is on and whether NMIs are blocked. If its store falls
 * between the other's load and store, it is undone: seen as a #VMEXIT that leaves nested paging on, so that the
 * host's first page walk goes through the guest's nested tables. No hypervisor can do anything about it.
 *
 * The bit is IGNNE, DOS's way to ignore an FPU error; only a write to port 0xF0 sets it, and nothing here misses
 * its being cleared. So the instruction becomes a NOP. It is known by its bytes with the end of its function
 * behind them; if they are not there exactly once, this QEMU is another one: one line says so, and nothing is
 * touched.
 */
#define _GNU_SOURCE
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { AND_SIZE = 10, EPILOGUE_SIZE = 5 };

struct found {
    uint8_t *at;
    unsigned count;
};

/* and dword [rax + disp32], ~0x80; add rsp, 8; ret */
static bool is_clear_ignne(const uint8_t *code)
{
    static const uint8_t mask[] = {0x7F, 0xFF, 0xFF, 0xFF},
                         epilogue[EPILOGUE_SIZE] = {0x48, 0x83, 0xC4, 8, 0xC3};
    return code[0] == 0x81 && code[1] == 0xA0 && memcmp(code + 6, mask, sizeof mask) == 0 &&
           memcmp(code + AND_SIZE, epilogue, sizeof epilogue) == 0;
}

/* The first object is the program itself. */
static int search(struct dl_phdr_info *object, size_t size, void *context)
{
    (void)size;
    struct found *found = context;
    for (unsigned i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
            continue;
        uint8_t *start = (uint8_t *)(object->dlpi_addr + segment->p_vaddr);
        for (uint8_t *at = start; at + AND_SIZE + EPILOGUE_SIZE <= start + segment->p_memsz; at++)
            if (is_clear_ignne(at)) {
                found->at = at;
                found->count++;
            }
    }
    return 1;
}

__attribute__((constructor)) static void repair(void)
{
    unsetenv("LD_PRELOAD");
    struct found found = {0};
    dl_iterate_phdr(search, &found);
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uint8_t *start = (uint8_t *)((uintptr_t)found.at & ~(page - 1));
    size_t size = (size_t)(found.at + AND_SIZE - start);
    if (found.count != 1 || mprotect(start, size, PROT_READ | PROT_WRITE)) {
        fprintf(stderr, "warning: cpu_clear_ignne() is not where it is in QEMU 7.2: see ci/qemu_ignne.c\n");
        return;
    }
    static const uint8_t nop[AND_SIZE] = {0x66, 0x2E, 0x0F, 0x1F, 0x84}; /* one instruction of ten bytes */
    memcpy(found.at, nop, sizeof nop);
    mprotect(start, size, PROT_READ | PROT_EXEC);
}
