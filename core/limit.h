/*
 * Lines that a guest can cause as often as it likes: a bounded number a second each, and a count of the rest.
 * A guest program must not be able to drown the log, nor to slow its machine through the wire.
 */
#ifndef CORE_LIMIT_H
#define CORE_LIMIT_H

#include "log/log.h"

struct limit {
    _Atomic uint64_t since; /* TSC at which the current second began */
    _Atomic uint32_t count; /* lines asked for in it */
};

/* May one more line be written? Any context. CPUs that race at the turn of a second miscount by a few,
 * nothing more. */
bool limit_pass(struct limit *limit);

#define guest_warn(...)                                                                                      \
    do {                                                                                                     \
        static struct limit limit_;                                                                          \
        if (limit_pass(&limit_))                                                                             \
            log_warn(__VA_ARGS__);                                                                           \
    } while (0)

#endif
