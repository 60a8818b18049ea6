/* Picks the program by the name it was called by; see programs.h. */
#include <stdio.h>
#include <string.h>
#include "programs.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} programs[] = {
#define LIST_PROGRAM(name) {#name, name##_program},
    PROGRAMS(LIST_PROGRAM)
#undef LIST_PROGRAM
};

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    const char *name = slash ? slash + 1 : argv[0];

    setvbuf(stdout, NULL, _IOLBF, 0); /* lines that were printed before a crash are not lost */
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
        if (!strcmp(name, programs[i].name))
            return programs[i].run(argc, argv);
    fprintf(stderr, "%s: call me by one of these names:", name);
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
        fprintf(stderr, " %s", programs[i].name);
    fputc('\n', stderr);
    return STATUS_USAGE;
}
