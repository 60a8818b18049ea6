/* quiesce.c as it ships, with a way to its private state: each run of the explorer begins with it as long use
 * leaves it. */
#include "core/quiesce.c"

void shipped_reset(void);
void shipped_reset(void)
{
    owner = losers = next = 0;
    released = 0;
    for (unsigned i = 0; i < MAX_CPUS; i++)
        yields[i] = (struct yield){.to = i ? 1 : 2, .tries = YIELD_TRIES}; /* of a claim that was served */
}

uint32_t shipped_losers(void);
uint32_t shipped_losers(void)
{
    return losers;
}
