/* The peer's tracepoint: two arguments, as in record.c. Read several times by lttng-ust's own headers. */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER braid_bench
#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "log/bench/lttng.h"

#if !defined(LOG_BENCH_LTTNG_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define LOG_BENCH_LTTNG_H

#include <lttng/tracepoint.h>

LTTNG_UST_TRACEPOINT_EVENT(braid_bench, section, LTTNG_UST_TP_ARGS(unsigned, section, int, pages),
                           LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(unsigned, section, section)
                                                   lttng_ust_field_integer(int, pages, pages)))

#endif

#include <lttng/tracepoint-event.h>
