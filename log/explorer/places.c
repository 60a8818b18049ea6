/* Shared memory. See places.h. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "log/explorer/places.h"

enum { PLACES = 1 << 16 /* a power of two; a scenario touches a few thousand */ };

static struct {
    uintptr_t granule;
    uint8_t readers, writers;
    bool shared;
} place[PLACES];
static unsigned used;
static bool grew;

static bool touch(uintptr_t granule, bool write, unsigned context)
{
    const uint8_t me = (uint8_t)(1u << context);
    size_t i = granule * 0x9e3779b97f4a7c15u >> 48;
    bool shared;

    while (place[i].granule != granule) {
        if (place[i].granule == 0) {
            if (++used == PLACES / 2)
                abort();
            place[i].granule = granule;
            break;
        }
        i = (i + 1) % PLACES;
    }
    if (write)
        place[i].writers |= me;
    else
        place[i].readers |= me;
    shared = place[i].shared;
    place[i].shared = (place[i].writers & (place[i].writers - 1)) != 0 ||
                      (place[i].writers != 0 && (place[i].readers & ~place[i].writers) != 0);
    grew |= place[i].shared && !shared;
    return place[i].shared;
}

bool places_shared(const void *address, size_t size, bool write, unsigned context)
{
    const uintptr_t first = (uintptr_t)address / 8, last = ((uintptr_t)address + size - 1) / 8;
    bool shared = false;

    for (uintptr_t granule = first; granule <= last; granule++)
        shared |= touch(granule, write, context);
    return shared;
}

bool places_grew(void)
{
    return grew;
}

void places_learnt(void)
{
    grew = false;
}

void places_forget(void)
{
    memset(place, 0, sizeof(place));
    used = 0;
    grew = false;
}
