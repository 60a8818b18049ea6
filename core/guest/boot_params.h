/*
 * The structures of the Linux/x86 boot protocol, as far as a loader of the 32-bit entry needs them. Names and
 * offsets: Linux, Documentation/arch/x86/boot.rst and zero-page.rst.
 */
#ifndef CORE_GUEST_BOOT_PARAMS_H
#define CORE_GUEST_BOOT_PARAMS_H

#include <stddef.h>
#include <stdint.h>

enum {
    SETUP_HEADER_AT = 0x1f1,         /* in the bzImage and in boot_params */
    SETUP_HEADER_LIMIT = 0x290,      /* boot_params has other fields from here on */
    SETUP_HEADER_MAGIC = 0x53726448, /* "HdrS" */
    PROTOCOL_MIN = 0x020a,           /* 2.10: the first with pref_address and init_size; Linux 2.6.31 */
    LOADED_HIGH = 1 << 0,
    TYPE_OF_LOADER_OTHER = 0xff,
    SECTOR = 512,
    SETUP_SECTS_DEFAULT = 4, /* what setup_sects = 0 means */
    SYSSIZE_UNIT = 16,
    E820_ENTRIES_MAX = 128,
};

struct __attribute__((packed)) setup_header {
    uint8_t setup_sects;
    uint16_t root_flags;
    uint32_t syssize;
    uint16_t ram_size, vid_mode, root_dev, boot_flag;
    uint8_t jump_opcode, jump_offset; /* the header ends where this jump leads to */
    uint32_t magic;
    uint16_t version;
    uint32_t realmode_swtch;
    uint16_t start_sys_seg, kernel_version;
    uint8_t type_of_loader, loadflags;
    uint16_t setup_move_size;
    uint32_t code32_start, ramdisk_image, ramdisk_size, bootsect_kludge;
    uint16_t heap_end_ptr;
    uint8_t ext_loader_ver, ext_loader_type;
    uint32_t cmd_line_ptr, initrd_addr_max, kernel_alignment;
    uint8_t relocatable_kernel, min_alignment;
    uint16_t xloadflags;
    uint32_t cmdline_size, hardware_subarch;
    uint64_t hardware_subarch_data;
    uint32_t payload_offset, payload_length;
    uint64_t setup_data, pref_address;
    uint32_t init_size;
};

struct __attribute__((packed)) e820_entry {
    uint64_t start, size;
    uint32_t type;
};

/* The "zero page". What we leave 0 means "none": no screen, no EFI, no boot disks. */
struct __attribute__((packed)) boot_params {
    uint8_t unused_screen_to_edid[0x1e8];
    uint8_t e820_entries;
    uint8_t unused_sentinel[8];
    struct setup_header header;
    uint8_t unused_header_and_edd[0x6c];
    struct e820_entry e820_table[E820_ENTRIES_MAX];
    uint8_t unused_edd[0x330];
};

_Static_assert(offsetof(struct setup_header, jump_offset) == 0x201 - SETUP_HEADER_AT, "jump");
_Static_assert(offsetof(struct setup_header, magic) == 0x202 - SETUP_HEADER_AT, "header");
_Static_assert(offsetof(struct setup_header, type_of_loader) == 0x210 - SETUP_HEADER_AT, "type_of_loader");
_Static_assert(offsetof(struct setup_header, cmd_line_ptr) == 0x228 - SETUP_HEADER_AT, "cmd_line_ptr");
_Static_assert(offsetof(struct setup_header, cmdline_size) == 0x238 - SETUP_HEADER_AT, "cmdline_size");
_Static_assert(offsetof(struct setup_header, pref_address) == 0x258 - SETUP_HEADER_AT, "pref_address");
_Static_assert(offsetof(struct setup_header, init_size) == 0x260 - SETUP_HEADER_AT, "init_size");
_Static_assert(offsetof(struct boot_params, e820_entries) == 0x1e8, "e820_entries");
_Static_assert(offsetof(struct boot_params, header) == SETUP_HEADER_AT, "header");
_Static_assert(offsetof(struct boot_params, e820_table) == 0x2d0, "e820_table");
_Static_assert(sizeof(struct boot_params) == 4096, "one page");

#endif
