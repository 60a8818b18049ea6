/*
 * The Linux loader with a bzImage made here: what lands where, what boot_params says, each refusal with
 * memory unchanged; random placements in which modules and destinations overlap; and Debian's kernel where
 * there is one.
 */
#include "core/test/check.h"

#include <stdio.h>
#include <string.h>

#include "core/guest/boot_params.h"
#include "core/guest/linux.h"
#include "core/guest/memmap.h"
#include "core/hypapp.h"

enum {
    MIB = 1 << 20,
    SETUP_SECTS = 9,
    SETUP_SIZE = (1 + SETUP_SECTS) * SECTOR,
    PREF = 16 * MIB,
    ALIGN = 2 * MIB
};

static void *at(uint64_t address)
{
    return (void *)(uintptr_t)address;
}

static uint8_t pattern(uint8_t seed, uint64_t offset)
{
    return (uint8_t)(seed + offset * 5 + (offset >> 8) * 3 + (offset >> 16));
}

static void put_pattern(uint64_t start, uint64_t size, uint8_t seed)
{
    uint8_t *bytes = at(start);
    for (uint64_t i = 0; i < size; i++)
        bytes[i] = pattern(seed, i);
}

static bool has_pattern(uint64_t start, uint64_t size, uint8_t seed)
{
    const uint8_t *bytes = at(start);
    for (uint64_t i = 0; i < size; i++)
        if (bytes[i] != pattern(seed, i))
            return false;
    return true;
}

enum { KERNEL_SEED = 1, INITRD_SEED = 77 };

/* Writes a bzImage with `size` bytes of protected-mode code; returns its header for the caller to spoil. */
static struct setup_header *make_kernel(struct linux_modules *modules, uint64_t start, uint64_t size,
                                        uint64_t pref)
{
    struct setup_header *header = at(start + SETUP_HEADER_AT);
    memset(at(start), 0, SETUP_SIZE);
    *header = (struct setup_header){
        .setup_sects = SETUP_SECTS,
        .syssize = (uint32_t)((size + 15) / 16),
        .boot_flag = 0xaa55,
        .jump_opcode = 0xeb,
        .jump_offset = 0x6a,
        .magic = SETUP_HEADER_MAGIC,
        .version = 0x020f,
        .loadflags = LOADED_HIGH,
        .initrd_addr_max = 0x7fffffff,
        .kernel_alignment = ALIGN,
        .relocatable_kernel = 1,
        .cmdline_size = 255,
        .pref_address = pref,
        .init_size = (uint32_t)size + 3 * PAGE_SIZE,
    };
    put_pattern(start + SETUP_SIZE, size, KERNEL_SEED);
    modules->kernel_start = start;
    modules->kernel_end = start + SETUP_SIZE + size;
    return header;
}

static void make_initrd(struct linux_modules *modules, uint64_t start, uint64_t size)
{
    put_pattern(start, size, INITRD_SEED);
    modules->initrd_start = start;
    modules->initrd_end = start + size;
}

/* Loads, and checks everything that must hold in each success. */
static bool loads(const struct linux_modules *modules, struct linux_entry *entry)
{
    uint64_t kernel_size = modules->kernel_end - modules->kernel_start - SETUP_SIZE;
    uint64_t initrd_size = modules->initrd_end - modules->initrd_start;
    char cmdline[300];
    const char *why = "";
    snprintf(cmdline, sizeof cmdline, "%s", modules->cmdline);
    if (!CHECK(linux_load(modules, entry, &why) == 0)) {
        printf("%s\n", why);
        return false;
    }
    const struct boot_params *params = at(entry->boot_params);
    const struct setup_header *header = &params->header;
    bool ok = CHECK(has_pattern(entry->entry, kernel_size, KERNEL_SEED));
    ok &= CHECK(initrd_size == 0 || has_pattern(entry->initrd, initrd_size, INITRD_SEED));
    ok &= CHECK(entry->boot_params >= PAGE_SIZE && entry->boot_params % PAGE_SIZE == 0);
    ok &= CHECK(memmap_is_ram(entry->entry, header->init_size) &&
                memmap_is_ram(entry->boot_params, sizeof *params));
    ok &= CHECK(header->magic == SETUP_HEADER_MAGIC && header->type_of_loader == 0xff &&
                header->code32_start == entry->entry);
    ok &= CHECK(header->ramdisk_size == initrd_size && header->ramdisk_image == entry->initrd);
    ok &= CHECK(entry->initrd + initrd_size <= entry->entry ||
                entry->initrd >= entry->entry + header->init_size);
    ok &= CHECK(header->cmd_line_ptr + strlen(cmdline) < 0x98000 &&
                strcmp(at(header->cmd_line_ptr), cmdline) == 0);
    ok &= CHECK(params->e820_entries == memmap_count());
    return ok;
}

static void test_grub(void)
{
    memory_reset();
    CHECK(memmap_hide(0x7800000, 0x8400000) == 0);
    struct linux_modules modules = {.cmdline = "console=ttyS1 rdinit=/init"};
    struct linux_entry entry;
    memset(at(0x80000), 0xee, 0x20000); /* what firmware left */
    make_kernel(&modules, 0x112000, 8 * MIB + 3, PREF)->payload_length = 0x1234;
    make_initrd(&modules, 0x920000, 9 * MIB + 5); /* over the kernel's place at 16 MiB */
    CHECK(loads(&modules, &entry));
    CHECK(entry.entry == PREF && entry.initrd == 0xf6ff000);

    const struct boot_params *params = at(entry.boot_params);
    CHECK(params->header.payload_length == 0x1234 && params->header.setup_data == 0 &&
          params->unused_sentinel[7] == 0 && params->unused_screen_to_edid[0] == 0 &&
          params->e820_table[3].start == 0);
    CHECK(params->e820_table[0].start == MEMORY_START && params->e820_table[0].type == MEMORY_RAM);
    CHECK(params->e820_table[1].start == 0x7800000 && params->e820_table[1].size == 0xc00000);
    CHECK(params->e820_table[1].type == MEMORY_RESERVED && params->e820_table[2].start == 0x8400000);
    const uint64_t *gdt = at(entry.gdt);
    CHECK(entry.gdt_limit == LINUX_DS + 7 && gdt[0] == 0);
    CHECK((gdt[LINUX_CS / 8] & 0xfffefeffffffffff) == (0x00cf9a000000ffff & 0xfffefeffffffffff));
    CHECK((gdt[LINUX_DS / 8] & 0xfffefeffffffffff) == (0x00cf92000000ffff & 0xfffefeffffffffff));
}

static void test_places(void)
{
    struct linux_modules modules = {.cmdline = ""};
    struct linux_entry entry;
    memory_reset();
    CHECK(memmap_hide(PREF + MIB, PREF + MIB + 1) == 0); /* the preferred place is taken */
    make_kernel(&modules, 0x200000, 2 * MIB, PREF);
    CHECK(loads(&modules, &entry) && entry.entry == MEMORY_END - 2 * ALIGN && entry.initrd == 0);

    memory_reset();
    make_kernel(&modules, 0x200000, 2 * MIB, PREF)->initrd_addr_max = 32 * MIB - 1;
    make_initrd(&modules, 0x5000000, MIB);
    CHECK(loads(&modules, &entry) && entry.initrd == 31 * MIB);

    memory_reset(); /* the kernel's place, then its module, is where the initrd would go */
    make_kernel(&modules, 0x200000, MIB, MEMORY_END - 2 * MIB);
    make_initrd(&modules, 0x5000000, MIB);
    CHECK(loads(&modules, &entry) && entry.initrd == MEMORY_END - 3 * MIB);
    memory_reset();
    make_kernel(&modules, MEMORY_END - 2 * MIB, MIB, PREF);
    make_initrd(&modules, 0x5000000, MIB);
    CHECK(loads(&modules, &entry) && entry.initrd == MEMORY_END - 3 * MIB);

    memory_reset();
    make_kernel(&modules, 0x200000, MIB, PREF);
    make_initrd(&modules, MEMORY_END - MIB - 100, MIB); /* onto itself */
    CHECK(loads(&modules, &entry) && entry.initrd == MEMORY_END - MIB);

    memory_reset(); /* modules and command line where boot_params would go */
    make_kernel(&modules, 0x93000, 0x400, PREF);
    make_initrd(&modules, 0x97000, 0x10);
    strcpy(at(0x95f00), "root=/dev/sda");
    modules.cmdline = at(0x95f00);
    CHECK(loads(&modules, &entry) && entry.boot_params == 0x91000);

    memory_reset(); /* a header longer than we know is copied, but not over what follows it */
    modules.initrd_start = modules.initrd_end = 0;
    modules.cmdline = "";
    make_kernel(&modules, 0x200000, MIB, PREF)->jump_offset = 0x7f;
    memset(at(0x200264), 0x5a, 0x100);
    CHECK(loads(&modules, &entry));
    const uint8_t *params = at(entry.boot_params);
    CHECK(params[0x264] == 0x5a && params[0x280] == 0x5a && params[0x281] == 0);
    make_kernel(&modules, 0x200000, MIB, PREF)->jump_offset = 0xff;
    memset(at(0x200264), 0x5a, 0x100);
    CHECK(loads(&modules, &entry));
    params = at(entry.boot_params);
    CHECK(params[0x28f] == 0x5a && params[0x290] == 0);
}

/* The ways to spoil a good input, each of which must be refused; SPOILS leaves it good. */
enum spoil {
    NO_MAGIC,
    OLD,
    LOW,
    LOW_PREF,
    HIGH,
    ALIGNMENT,
    CUT,
    TINY,
    NO_CODE,
    BACKWARD,
    INITRD_BACKWARD,
    CMDLINE,
    NO_ROOM,
    FIXED,
    NO_INITRD_ROOM,
    NO_LOW,
    SPOILS
};

static void spoil(enum spoil way, struct linux_modules *modules, struct setup_header *header)
{
    static char cmdline[257];
    memset(cmdline, 'x', 256);
    switch (way) {
    case NO_MAGIC:
        header->magic ^= 1;
        break;
    case OLD:
        header->version = 0x0209;
        break;
    case LOW:
        header->loadflags = 0;
        break;
    case LOW_PREF:
        header->pref_address = MEMORY_START;
        break;
    case HIGH:
        header->pref_address = 1ull << 32;
        break;
    case ALIGNMENT:
        header->kernel_alignment = 3 * MIB;
        break;
    case CUT:
        modules->kernel_end -= 16;
        break;
    case NO_CODE:
        header->setup_sects = 255;
        modules->kernel_end = modules->kernel_start + 0x2000;
        break;
    case TINY:
        modules->kernel_end = modules->kernel_start + 100;
        break;
    case BACKWARD:
        modules->kernel_end = modules->kernel_start - 1;
        break;
    case INITRD_BACKWARD:
        modules->initrd_end = modules->initrd_start - 1;
        break;
    case CMDLINE:
        modules->cmdline = cmdline;
        break;
    case NO_ROOM:
        header->init_size = MEMORY_END;
        break;
    case FIXED:
        CHECK(memmap_hide(PREF, PREF + 1) == 0);
        header->relocatable_kernel = 0;
        break;
    case NO_INITRD_ROOM:
        modules->initrd_end = modules->initrd_start + 200 * MIB;
        header->initrd_addr_max = 128 * MIB;
        break;
    case NO_LOW:
        CHECK(memmap_hide(0, MIB) == 0);
        break;
    case SPOILS:
        break;
    }
}

static void test_refusals(void)
{
    for (enum spoil way = NO_MAGIC; way <= SPOILS; way++) {
        struct linux_modules modules = {.cmdline = "quiet"};
        struct linux_entry entry = {0};
        const char *why = NULL;
        memory_reset();
        struct setup_header *header = make_kernel(&modules, 0x200000, MIB, PREF);
        make_initrd(&modules, 0x400000, MIB);
        spoil(way, &modules, header);
        int error = linux_load(&modules, &entry, &why);
        if (way == SPOILS) { /* unspoilt it loads: so each refusal above had one cause */
            CHECK(error == 0 && why == NULL);
            continue;
        }
        if (!CHECK(error == (way < NO_ROOM ? -E_INVAL : -E_NOMEM) && why != NULL))
            printf("spoilt in way %d: error %d\n", way, error);
        const uint8_t *low = at(0x97000), *target = at(PREF);
        CHECK(low[SETUP_HEADER_AT + 0x12] == 0 && target[1] == 0 && has_pattern(0x400000, MIB, INITRD_SEED));
    }
    struct linux_modules modules = {.cmdline = NULL};
    struct linux_entry entry;
    char cmdline[256];
    memset(cmdline, 'x', 255);
    cmdline[255] = 0;
    modules.cmdline = cmdline; /* exactly cmdline_size */
    memory_reset();
    make_kernel(&modules, 0x200000, MIB, PREF);
    CHECK(loads(&modules, &entry));
}

void test_linux(void)
{
    test_grub();
    test_places();
    test_refusals();
}

/* Little memory and much in it: many rounds have a module in its own or the other's destination. */
void test_linux_overlaps(void)
{
    unsigned over_initrd = 0, over_kernel = 0, not_on_top = 0;
    for (unsigned round = 0; round < 500; round++) {
        struct linux_modules modules = {.cmdline = "overlap"};
        struct linux_entry entry;
        uint64_t kernel_size = 0x1000 + random32() % 0x80000, initrd_size = 1 + random32() % 0x80000;
        uint64_t kernel = MIB + random32() % (9 * MIB / 2), initrd = MIB + random32() % (9 * MIB / 2);
        uint64_t pref = (MIB + random32() % (4 * MIB)) & PAGE_MASK, top = 6 * MIB;
        if (kernel < initrd + initrd_size && initrd < kernel + SETUP_SIZE + kernel_size)
            continue; /* the boot loader's modules do not overlap each other */
        memory_reset();
        CHECK(memmap_hide(top, MEMORY_END) == 0);
        make_kernel(&modules, kernel, kernel_size, pref);
        make_initrd(&modules, initrd, initrd_size);
        if (!loads(&modules, &entry))
            break;
        over_initrd += initrd < entry.entry + kernel_size && entry.entry < initrd + initrd_size;
        over_kernel += kernel < entry.entry + kernel_size && entry.entry < modules.kernel_end;
        not_on_top += entry.initrd != ((top - initrd_size) & PAGE_MASK);
    }
    CHECK(over_initrd > 20 && over_kernel > 20 && not_on_top > 5); /* else this tests less than it says */
}

void test_linux_real(const char *vmlinuz)
{
    FILE *file = fopen(vmlinuz, "rb");
    if (!file) {
        skip("the loader with Debian's kernel: build/vmlinuz is not there (make iso fetches it)");
        return;
    }
    struct linux_modules modules = {.kernel_start = 0x112000, .cmdline = "console=ttyS1"};
    struct linux_entry entry;
    const char *why = "";
    memory_reset();
    size_t size = fread(at(modules.kernel_start), 1, 64 * MIB, file);
    fclose(file);
    modules.kernel_end = modules.kernel_start + size;
    make_initrd(&modules, (modules.kernel_end + PAGE_SIZE) & PAGE_MASK, 12 * MIB);
    uint8_t first[64];
    uint8_t sects = *(uint8_t *)at(modules.kernel_start + SETUP_HEADER_AT);
    memcpy(first, at(modules.kernel_start + (1 + sects) * SECTOR), sizeof first);
    CHECK(linux_load(&modules, &entry, &why) == 0 && entry.entry == PREF);
    CHECK(memcmp(at(entry.entry), first, sizeof first) == 0 &&
          first[0] == 0xfc); /* startup_32 begins with CLD */
    CHECK(has_pattern(entry.initrd, 12 * MIB, INITRD_SEED));
}
