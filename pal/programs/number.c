/* Numbers on the command line; see programs.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "programs.h"

int parse_number(const char *text, const char *what, unsigned long long *value)
{
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 0);
    if (*text >= '0' && *text <= '9' && !*end && !errno)
        return 0;
    fprintf(stderr, "%s: \"%s\" is not a number that fits\n", what, text);
    return 1;
}
