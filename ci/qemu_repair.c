/*
 * Preloaded into QEMU 7.2: mends two faults that no hypervisor can do anything about. qemu_stale.c has the
 * second.
 *
 * FXRSTOR, XRSTOR, FRSTOR and FLDENV in an emulated CPU end in cpu_clear_ignne() (QEMU 7.2.22,
 * target/i386/tcg/sysemu/fpu_helper.c), which clears a bit of the FIRST CPU's hflags2 by a plain
 * read-modify-write, from whichever thread it runs on and without a lock. The first CPU's own thread keeps
 * there whether GIF is set, whether nested paging is on and whether NMIs are blocked. If its store falls
 * between the other's load and store, it is undone: seen as a #VMEXIT that leaves nested paging on, so that the
 * host's first page walk goes through the guest's nested tables. The bit is IGNNE, DOS's way to ignore an FPU
 * error; only a write to port 0xF0 sets it, and nothing here misses its being cleared.
 *
 * QEMU exports its functions for its modules. Calls within it are direct, and so are not bent by the dynamic
 * linker, but by hand: each CALL or JMP whose displacement leads to the function gets another one. A QEMU that
 * lacks a function is another one, and one line says so; what was found before is mended all the same.
 */
#define _GNU_SOURCE
#include "ci/qemu_repair.h"
#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { CALL = 0xE8, JMP = 0xE9, BRANCH_SIZE = 5, PAGE = 4096, TRIES = 1024, STEP = 1 << 20 };

struct text {
    uint8_t *start, *end;
};

/* The first object is the program itself. */
static int find_text(struct dl_phdr_info *object, size_t size, void *context)
{
    (void)size;
    struct text *text = context;
    for (unsigned i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
            continue;
        text->start = (uint8_t *)(object->dlpi_addr + segment->p_vaddr);
        text->end = text->start + segment->p_memsz;
    }
    return 1;
}

static uint8_t *target(const uint8_t *branch)
{
    int32_t displacement;
    memcpy(&displacement, branch + 1, sizeof displacement);
    return (uint8_t *)(uintptr_t)branch + BRANCH_SIZE + displacement;
}

/* jmp [rip + 0] and its address, within a displacement's reach: below the program. NULL: no memory. */
static uint8_t *thunk(const struct text *text, void (*ours)(void))
{
    static const uint8_t jump[] = {0xFF, 0x25, 0, 0, 0, 0};
    size_t size = sizeof jump + sizeof ours;
    for (uintptr_t i = 1; i <= TRIES; i++) {
        uint8_t *free = text->start - (uintptr_t)text->start % PAGE - i * STEP;
        uint8_t *at = mmap(free, size, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (at == MAP_FAILED)
            continue;
        memcpy(at, jump, sizeof jump);
        memcpy(at + sizeof jump, &ours, sizeof ours);
        return mprotect(at, size, PROT_READ | PROT_EXEC) ? NULL : at;
    }
    return NULL;
}

bool repair_redirect(const char *name, void (*ours)(void))
{
    struct text text = {0};
    dl_iterate_phdr(find_text, &text);
    uint8_t *original = dlsym(RTLD_DEFAULT, name);
    if (!original || original < text.start || original >= text.end)
        return false;
    uint8_t *to = thunk(&text, ours), *page = text.start - (uintptr_t)text.start % PAGE;
    size_t size = (size_t)(text.end - page);
    if (!to || mprotect(page, size, PROT_READ | PROT_WRITE))
        return false;
    unsigned bent = 0;
    for (uint8_t *at = text.start; at + BRANCH_SIZE <= text.end; at++)
        if ((*at == CALL || *at == JMP) && target(at) == original) {
            int32_t displacement = (int32_t)(to - (at + BRANCH_SIZE));
            memcpy(at + 1, &displacement, sizeof displacement);
            bent++;
        }
    mprotect(page, size, PROT_READ | PROT_EXEC);
    return bent > 0;
}

static void clear_nothing(void) {}

__attribute__((constructor)) static void repair(void)
{
    unsetenv("LD_PRELOAD");
    if (!repair_redirect("cpu_clear_ignne", clear_nothing) || !repair_stale())
        fprintf(stderr, "warning: this is not the QEMU 7.2 that ci/qemu_repair.c mends\n");
}
