/* Which memory contexts share: a table of 8-byte granules, and who reads and writes them. */
#ifndef LOG_EXPLORER_PLACES_H
#define LOG_EXPLORER_PLACES_H

#include <stdbool.h>
#include <stddef.h>

/* Notes an access of `context`; true if another touches the same place too, and one of them writes. */
bool places_shared(const void *address, size_t size, bool write, unsigned context);

/* True if a place has become shared since places_learnt(). */
bool places_grew(void);
void places_learnt(void);

void places_forget(void);

#endif
