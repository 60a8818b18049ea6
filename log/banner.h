/* The banner: one line of plain ASCII that says how to read what follows (FORMAT.md, "Banner"). */
#ifndef LOG_BANNER_H
#define LOG_BANNER_H

#include "log/log.h"

/* Sends it. After log_uart_open(), while one CPU runs. */
void log_banner(const struct log_config *config);

#endif
