#!/bin/sh
# Builds the explorer of the log, of the shipped sources or of changed ones. Usage: build.sh OUT [CHANGED]
# OUT/explore is made with the compiler CC; a source that stands in CHANGED/log is taken from there.
set -e
out=$1 changed=${2:-none}
mkdir -p "$out"
flags="-std=c17 -g -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -I$changed -I. -Ilog/host -fno-pie"
for source in log/*.c; do
    from=$source
    [ ! -f "$changed/$source" ] || from=$changed/$source
    # The last: the one function that the sanitizer is to leave alone is of interest here.
    # shellcheck disable=SC2086 # a list of flags without spaces
    "${CC:-gcc}" $flags -fsanitize=thread -Wno-tsan '-Dno_sanitize(x)=' -c "$from" -o "$out/$(basename "$source" .c).o"
done
# shellcheck disable=SC2086
"${CC:-gcc}" $flags -Wno-missing-prototypes log/explorer/*.c log/test/decode.c "$out"/*.o -o "$out/explore" \
    -no-pie -Wl,-T,log/host/host.ld
