/*
 * Loads a Linux kernel by the x86 boot protocol's 32-bit entry (Documentation/arch/x86/boot.rst), for amd64
 * and i686 kernels alike: places the command line, the initrd and the kernel, and builds boot_params.
 *
 * Once, on the boot CPU, after memmap has everything, and before the guest runs. Memory is identity-mapped.
 */
#ifndef CORE_GUEST_LINUX_H
#define CORE_GUEST_LINUX_H

#include <stdint.h>

/* Physical bytes [start, end), as the boot loader left them; anywhere below 4 GiB. The loader's other data
   (multiboot information) may be overwritten. */
struct linux_modules {
    uint64_t kernel_start, kernel_end; /* the bzImage */
    uint64_t initrd_start, initrd_end; /* equal: none */
    const char *cmdline;               /* may lie anywhere outside the modules */
};

/* What the guest's CPU 0 must be at entry: PE = 1, paging off, IF = 0, A20 open, CS = LINUX_CS and DS = ES =
   SS = LINUX_DS (flat, 4 GiB, CS 32-bit execute/read, the others read/write), EIP = entry, ESI = boot_params,
   EBP = EDI = EBX = 0. */
enum { LINUX_CS = 0x10, LINUX_DS = 0x18 };

struct linux_entry {
    uint32_t entry;       /* where the kernel was put; its first byte is the entry point */
    uint32_t boot_params; /* below 640 KiB */
    uint32_t gdt;         /* a GDT with LINUX_CS and LINUX_DS in guest memory, for GDTR */
    uint16_t gdt_limit;
    uint32_t initrd; /* where the initrd was put; 0 without one */
};

/* 0: loaded. -E_INVAL, -E_NOMEM: *why is one line for the user that names the mend, and no memory was
 * changed. */
int linux_load(const struct linux_modules *modules, struct linux_entry *entry, const char **why);

#endif
