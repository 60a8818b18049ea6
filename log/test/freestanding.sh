#!/bin/sh
# The shipped sources as the hypervisor compiles them need nothing but log_env.h, memcpy and memset, and no vector
# registers. Usage: freestanding.sh CC OUT SOURCE...
cc=$1 out=$2
shift 2
set -e
mkdir -p "$out"
objects=
for source in "$@"; do
    object=$out/$(basename "$source" .c).o
    "$cc" -std=c17 -O2 -Wall -Wextra -Werror -ffreestanding -mgeneral-regs-only -mno-red-zone -fno-pie -I. -Ilog/host \
        -c "$source" -o "$object"
    objects="$objects $object"
done
# shellcheck disable=SC2086 # a list of names without spaces
ld -r -o "$out/log.all" $objects
foreign=$(nm -u "$out/log.all" | awk '$2 !~ /^(log_host_.*|log_sites|memcpy|memset)$/ {print $2}')
if [ -n "$foreign" ]; then
    echo "the shipped log needs what the hypervisor does not have:" "$foreign"
    echo "0 passed, 1 failed"
    exit 1
fi
echo "1 passed, 0 failed"
