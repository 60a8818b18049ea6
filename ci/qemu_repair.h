/* What is mended in QEMU 7.2 before it runs: qemu_repair.c is preloaded into it, with qemu_stale.c. */
#ifndef CI_QEMU_REPAIR_H
#define CI_QEMU_REPAIR_H

#include <stdbool.h>

/*
 * All direct calls of the program's exported function `name` reach `ours` from now on; a call by pointer does
 * not, so that dlsym() gives ours the original. Before main() only. False, with nothing touched: the program
 * has no such function or no such call, or memory could not be had.
 */
bool repair_redirect(const char *name, void (*ours)(void));

/* Translations are kept apart from writes to what they translate. False: this QEMU is another one. */
bool repair_stale(void);

#endif
