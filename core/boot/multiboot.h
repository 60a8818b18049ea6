/* What a multiboot 1 loader hands over (Multiboot Specification 0.6.96, 3.3). */
#ifndef CORE_BOOT_MULTIBOOT_H
#define CORE_BOOT_MULTIBOOT_H

#include <stdint.h>

enum {
    MULTIBOOT_LOADER_MAGIC = 0x2BADB002,
    MULTIBOOT_CMDLINE = 1 << 2,
    MULTIBOOT_MODULES = 1 << 3,
    MULTIBOOT_MMAP = 1 << 6
};

struct multiboot_info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4], mmap_length,
        mmap_addr;
} __attribute__((packed));

struct multiboot_module {
    uint32_t start, end, string, reserved;
} __attribute__((packed));

struct multiboot_mmap {
    uint32_t size; /* of what follows */
    uint64_t start, length;
    uint32_t type;
} __attribute__((packed));

#endif
