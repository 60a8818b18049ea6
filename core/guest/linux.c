/*
 * The Linux loader. All is checked and every place is chosen before the first byte is written, so that a
 * failure leaves memory as it was. Then the order matters, since what the boot loader left may lie where the
 * kernel wants to be (GRUB starts at 0x112000 and goes up over 16 MiB):
 *   1. boot_params and the command line, in low memory that no module touches;
 *   2. the initrd, to a place clear of the kernel's module and of its destination;
 *   3. the kernel, over whatever lies there now.
 * Each module may overlap its own destination.
 */
#include "core/guest/linux.h"

#include "core/guest/boot_params.h"
#include "core/guest/memmap.h"
#include "core/hypapp.h"
#include "core/string.h"

static const uint64_t low_start = PAGE_SIZE; /* page 0 has the real-mode vectors and the BIOS data area */
static const uint64_t low_end = 0x98000; /* below the extended BIOS data area, wherever firmware puts it */
static const uint64_t high_start = 1 << 20;
static const uint64_t four_gib = 1ull << 32;

/* Flat, as the protocol asks; null, unused, LINUX_CS, LINUX_DS. */
static const uint64_t gdt[] = {0, 0, 0x00cf9b000000ffff, 0x00cf93000000ffff};
_Static_assert(LINUX_CS == 2 * sizeof gdt[0] && LINUX_DS == 3 * sizeof gdt[0], "selectors");

struct low_block {
    struct boot_params params;
    uint64_t gdt[sizeof gdt / sizeof gdt[0]];
    char cmdline[];
};

struct span {
    uint64_t start, size;
};

struct plan {
    struct setup_header header;
    size_t header_size, cmdline_size;     /* the latter with its NUL */
    struct span kernel_from, initrd_from; /* the protected-mode part of the bzImage, and the module */
    uint64_t kernel_to, initrd_to, low;
    uint64_t kernel_needs; /* bytes from kernel_to on */
};

static void *at(uint64_t address)
{
    return (void *)(uintptr_t)address;
}

static int fail(const char **why, int error, const char *reason)
{
    *why = reason;
    return error;
}

static int check_kernel(const struct linux_modules *modules, struct plan *plan, const char **why)
{
    uint64_t size = modules->kernel_end - modules->kernel_start;
    const struct setup_header *header = &plan->header;
    if (modules->kernel_end < modules->kernel_start || modules->kernel_end > four_gib ||
        size < sizeof(struct boot_params))
        return fail(why, -E_INVAL,
                    "the kernel module is no bzImage (too short); give a Debian vmlinuz as the first module");
    memcpy(&plan->header, at(modules->kernel_start + SETUP_HEADER_AT), sizeof plan->header);
    if (header->magic != SETUP_HEADER_MAGIC)
        return fail(why, -E_INVAL,
                    "the kernel module is no bzImage (no HdrS); give a Debian vmlinuz as the first module");
    if (header->version < PROTOCOL_MIN)
        return fail(why, -E_INVAL,
                    "the kernel's boot protocol is older than 2.10; use Linux 2.6.31 or later");
    if (!(header->loadflags & LOADED_HIGH) || header->pref_address < high_start ||
        header->pref_address >= four_gib)
        return fail(
            why, -E_INVAL,
            "the kernel wants to be loaded below 1 MiB or above 4 GiB; use a bzImage with usual addresses");
    if (header->kernel_alignment == 0 || (header->kernel_alignment & (header->kernel_alignment - 1)))
        return fail(why, -E_INVAL,
                    "the kernel's header is damaged (kernel_alignment); fetch the kernel again");

    uint64_t setup =
        (uint64_t)(1 + (header->setup_sects ? header->setup_sects : SETUP_SECTS_DEFAULT)) * SECTOR;
    if (size <= setup || size - setup + SYSSIZE_UNIT <= (uint64_t)header->syssize * SYSSIZE_UNIT)
        return fail(why, -E_INVAL, "the kernel module is cut short; fetch the kernel again");
    plan->kernel_from = (struct span){modules->kernel_start + setup, size - setup};
    plan->kernel_needs = header->init_size > size - setup ? header->init_size : size - setup;
    plan->header_size = offsetof(struct setup_header, magic) + header->jump_offset;
    if (plan->header_size > SETUP_HEADER_LIMIT - SETUP_HEADER_AT)
        plan->header_size = SETUP_HEADER_LIMIT - SETUP_HEADER_AT;
    return 0;
}

static int check_others(const struct linux_modules *modules, struct plan *plan, const char **why)
{
    if (modules->initrd_end < modules->initrd_start || modules->initrd_end > four_gib)
        return fail(why, -E_INVAL,
                    "the initrd module has no valid place; the boot loader must put it below 4 GiB");
    plan->initrd_from = (struct span){modules->initrd_start, modules->initrd_end - modules->initrd_start};
    plan->cmdline_size = strlen(modules->cmdline) + 1;
    if (plan->cmdline_size - 1 > plan->header.cmdline_size)
        return fail(why, -E_INVAL,
                    "the guest's command line is longer than its kernel takes (cmdline_size); shorten it");
    return 0;
}

/* As memmap_find, but clear of `count` spans. */
static bool find_clear(uint64_t size, uint64_t min, uint64_t max, const struct span *taken, unsigned count,
                       uint64_t *start)
{
    while (memmap_find(size, PAGE_SIZE, min, max, start)) {
        unsigned i = 0;
        while (i < count && (taken[i].start >= *start + size || taken[i].start + taken[i].size <= *start))
            i++;
        if (i == count)
            return true;
        max = taken[i].start; /* lower each time, so this ends */
    }
    return false;
}

static int choose_places(const struct linux_modules *modules, struct plan *plan, const char **why)
{
    const struct setup_header *header = &plan->header;
    uint64_t reach = (uint64_t)header->initrd_addr_max + 1; /* what the kernel maps early: a bound for both */

    plan->kernel_to = header->pref_address;
    if (!memmap_is_ram(plan->kernel_to, plan->kernel_needs) &&
        !(header->relocatable_kernel && memmap_find(plan->kernel_needs, header->kernel_alignment,
                                                    header->pref_address, reach, &plan->kernel_to)))
        return fail(why, -E_NOMEM, "no room for the guest's kernel in RAM; give the machine more memory");

    struct span kernel_module = {modules->kernel_start, modules->kernel_end - modules->kernel_start};
    struct span kernel = {plan->kernel_to, plan->kernel_needs};
    if (plan->initrd_from.size && !find_clear(plan->initrd_from.size, high_start, reach,
                                              (struct span[]){kernel_module, kernel}, 2, &plan->initrd_to))
        return fail(why, -E_NOMEM,
                    "no room for the guest's initrd beside its kernel; give the machine more memory");

    struct span cmdline = {(uintptr_t)modules->cmdline, plan->cmdline_size};
    if (!find_clear(sizeof(struct low_block) + plan->cmdline_size, low_start, low_end,
                    (struct span[]){kernel_module, plan->initrd_from, cmdline}, 3, &plan->low))
        return fail(why, -E_NOMEM,
                    "no room for the guest's boot parameters below 640 KiB; is the memory map complete?");
    return 0;
}

static void fill_e820(struct boot_params *params)
{
    _Static_assert((int)MEMMAP_RANGES <= (int)E820_ENTRIES_MAX, "the map always fits");
    params->e820_entries = (uint8_t)memmap_count();
    for (unsigned i = 0; i < memmap_count(); i++) {
        struct memory_range range = memmap_get(i);
        params->e820_table[i] = (struct e820_entry){range.start, range.end - range.start, range.type};
    }
}

static void write_low_block(const struct linux_modules *modules, const struct plan *plan)
{
    struct low_block *block = at(plan->low);
    struct boot_params *params = &block->params;
    memset(block, 0, sizeof *block);
    memcpy(block->gdt, gdt, sizeof gdt);
    memcpy(block->cmdline, modules->cmdline, plan->cmdline_size);
    fill_e820(params);
    /* From the module, since newer kernels have a longer header than struct setup_header. */
    memcpy(at(plan->low + SETUP_HEADER_AT), at(modules->kernel_start + SETUP_HEADER_AT), plan->header_size);
    params->header.type_of_loader = TYPE_OF_LOADER_OTHER;
    params->header.code32_start = (uint32_t)plan->kernel_to;
    params->header.cmd_line_ptr = (uint32_t)(plan->low + offsetof(struct low_block, cmdline));
    params->header.ramdisk_image = (uint32_t)plan->initrd_to;
    params->header.ramdisk_size = (uint32_t)plan->initrd_from.size;
}

int linux_load(const struct linux_modules *modules, struct linux_entry *entry, const char **why)
{
    struct plan plan = {0};
    int error = check_kernel(modules, &plan, why);
    if (!error)
        error = check_others(modules, &plan, why);
    if (!error)
        error = choose_places(modules, &plan, why);
    if (error)
        return error;

    write_low_block(modules, &plan);
    if (plan.initrd_from.size)
        memmove(at(plan.initrd_to), at(plan.initrd_from.start), plan.initrd_from.size);
    memmove(at(plan.kernel_to), at(plan.kernel_from.start), plan.kernel_from.size);
    *entry = (struct linux_entry){
        .entry = (uint32_t)plan.kernel_to,
        .boot_params = (uint32_t)plan.low,
        .gdt = (uint32_t)(plan.low + offsetof(struct low_block, gdt)),
        .gdt_limit = sizeof gdt - 1,
        .initrd = (uint32_t)plan.initrd_to,
    };
    return 0;
}
