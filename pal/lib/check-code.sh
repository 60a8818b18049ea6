#!/bin/sh
# check-code.sh OBJECT...: does the PAL code in these object files stand alone? Code that is copied elsewhere may refer only to itself, so
# its sections (pal_*) may hold no relocation but those of TV_PAL_DATA, which are relative to its own end.
set -eu
status=0
for object in "$@"; do
    bad=$(readelf -rW "$object" | awk '
        /^Relocation section/ { section = $3; gsub(/\047|\.rela?\./, "", section); pal = $3 ~ /\.rela?pal_/ }
        pal && /R_(X86_64|386)_/ && !($3 ~ /_PC32$/ && $5 ~ /^__stop_pal_/) { print "  " $3 " against " $5 " in " $0 }') || exit 1
    if [ -n "$bad" ]; then
        echo "$object: PAL code refers to something outside of itself (a library call, a global, a constant, or a function of the PAL" \
            "that is not static):" >&2
        echo "$bad" >&2
        status=1
    fi
done
exit $status
