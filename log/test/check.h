/* A test is a function; it fails if one of its CHECKs does. main() runs them in order and sums up. */
#ifndef LOG_TEST_CHECK_H
#define LOG_TEST_CHECK_H

#include <stdbool.h>
#include <stdio.h>

extern unsigned check_passed, check_failed;
extern bool check_ok;

#define CHECK(condition, ...)                                                                                \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            check_ok = false;                                                                                \
            printf("  %s:%d: not so: %s: ", __FILE__, __LINE__, #condition);                                 \
            printf(__VA_ARGS__);                                                                             \
            printf("\n");                                                                                    \
        }                                                                                                    \
    } while (0)
#define CHECK_EQ(is, should)                                                                                 \
    do {                                                                                                     \
        const unsigned long long is_ = (unsigned long long)(is), should_ = (unsigned long long)(should);     \
                                                                                                             \
        CHECK(is_ == should_, "%s is %llu, should be %llu", #is, is_, should_);                              \
    } while (0)

#endif
