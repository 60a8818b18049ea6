/* Bringing the machine up: what the files of boot/ say to each other. */
#ifndef CORE_BOOT_BOOT_H
#define CORE_BOOT_BOOT_H

#include "core/cpu.h"
#include "core/x86/acpi.h"
#include "log/log.h"

#include <stdbool.h>
#include <stdint.h>

/* Boot options, from the multiboot command line (boot/options.c). */
struct options {
    enum log_mode log_mode;
    enum log_level wire_level, ring_level;
    enum log_fifo fifo;
};
extern struct options options;
/* Takes the command line apart. Unknown words are remembered and named by options_report, once the log is
 * open. */
void options_parse(const char *cmdline);
void options_report(void);

/* One line on the serial port that names the mend, and the end: nothing has run yet. Boot CPU. */
_Noreturn void boot_fail(const char *why);

extern uint64_t boot_tsc; /* when the boot loader let us go (boot/entry.asm) */

/* Starts all CPUs but this one; each ends up waiting for the guest's SIPI. A line is logged for one that does
 * not come; the guest cannot start it either. */
void ap_start_all(const struct acpi_info *acpi);

#endif
