#!/bin/sh
# Runs each command given, shows what is not "ok", and sums up: the last line is `N passed, N failed`.
# A command that ends without its own such line (a crash, a sanitizer's report) counts as one failure.
passed=0 failed=0
for command in "$@"; do
    out=$($command 2>&1)
    status=$?
    printf '%s\n' "$out" | grep -v -e '^ok  ' -e ' passed, ' -e '^     '
    sum=$(printf '%s\n' "$out" | sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' | tail -n 1)
    printf '%s: %s\n' "$(basename "${command%% *}")" "${sum:-no verdict} (status $status)"
    [ -n "$sum" ] || sum="0 1"
    bad=${sum#* }
    [ "$status" -eq 0 ] || [ "$bad" -ne 0 ] || bad=1
    passed=$((passed + ${sum% *})) failed=$((failed + bad))
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
