/*
 * The hypervisor's memory: the image and the pool behind it lie in [HV_BASE, HV_END); the log's rings start
 * at RING_BASE. Fixed addresses, so that a debugger, a dump reader and the next boot find them; the guest
 * sees both as reserved.
 *
 * Carving happens at boot on one CPU and is never undone. What is left becomes pages for nested tables and
 * the hypapp, handed out and taken back only while the machine is quiesced (or at boot): the quiesce is what
 * excludes others.
 */
#ifndef CORE_MEMORY_H
#define CORE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#define HV_BASE   0x7800000ull
#define HV_END    0x8000000ull
#define RING_BASE 0x8000000ull

/* Zeroed, page aligned, whole pages; NULL when there is no room. Boot only. */
void *memory_carve(size_t size);
/* Ends carving: the rest becomes the page pool. */
void memory_pool_init(void);
/* The most KiB of [HV_BASE, HV_END) that were in use so far: image, carved, and pages handed out. */
unsigned memory_most_kib(void);

extern char image_start[], text_end[], rodata_end[], image_end[]; /* boot/braid.ld */

#endif
