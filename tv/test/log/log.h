/* The log for host tests of tv/: lines go to a list that tests can search, and to stderr if TV_TEST_LOG is
 * set. */
#ifndef LOG_LOG_H
#define LOG_LOG_H

__attribute__((format(printf, 2, 3))) void fake_log(const char *level, const char *format, ...);

#define log_error(...) fake_log("error", __VA_ARGS__)
#define log_warn(...)  fake_log("warn", __VA_ARGS__)
#define log_info(...)  fake_log("info", __VA_ARGS__)
#define log_debug(...) fake_log("debug", __VA_ARGS__)
#define log_trace(...) fake_log("trace", __VA_ARGS__)

#endif
