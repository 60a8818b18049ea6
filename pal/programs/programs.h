/*
 * The guest's programs. They share one binary a width, which picks by the name it is called by: a static C
 * library takes 300 KiB of the image that an emulated GRUB must load, so it is in there twice, not twenty
 * times.
 */
#ifndef PAL_PROGRAMS_H
#define PAL_PROGRAMS_H

#define PROGRAMS(X)                                                                                          \
    X(main)                                                                                                  \
    X(test)                                                                                                  \
    X(test_args)                                                                                             \
    X(calls)                                                                                                 \
    X(faults) X(outside) X(threads) X(many) X(abandon) X(devmem) X(quiesce) X(stall) X(cost) X(endless)

#define DECLARE_PROGRAM(name) int name##_program(int argc, char **argv);
PROGRAMS(DECLARE_PROGRAM)
#undef DECLARE_PROGRAM

enum { STATUS_PASS = 0, STATUS_FAIL = 1, STATUS_USAGE = 2 };

/*
 * Reads a number (decimal, 0x..., 0...) into *value. On anything else says so on stderr, naming `what`, and
 * returns nonzero.
 */
int parse_number(const char *text, const char *what, unsigned long long *value);

#endif
