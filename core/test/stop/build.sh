#!/bin/sh
# Builds the explorer of the stop protocol, of the shipped sources or of changed ones. Usage: build.sh OUT [CHANGED]
# OUT/explore is made with the compiler CC; a source that stands in CHANGED/core is taken from there. Objects that are in OUT already are kept.
set -e
out=$1 changed=${2:-none}
mkdir -p "$out"
flags="-std=c17 -g -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -fno-pie -ffunction-sections -fdata-sections -I$changed -I. -Icore"

# compile SOURCE FLAG...
compile() {
    source=$1 object=$out/$(echo "${1%.c}" | tr / -).o
    shift
    [ ! -f "$changed/$source" ] || source=$changed/$source
    # shellcheck disable=SC2086 # a list of flags without spaces
    [ -f "$object" ] || "${CC:-gcc}" $flags "$@" -c "$source" -o "$object"
}

compile core/test/stop/shipped.c -fsanitize=thread -Wno-tsan -Dpanic_poll=quiesce_panic_poll # and in it core/quiesce.c
for shipped in doorbell cpu vcpu hang guest/start x86/trap svm/svm svm/event svm/exit; do
    compile core/$shipped.c -fsanitize=thread -Wno-tsan
done
for shipped in vmx event exit; do
    compile core/vmx/$shipped.c -fsanitize=thread -Wno-tsan -include core/test/stop/instructions.h
done
for host in core/test/stop/machine core/test/stop/guest core/test/stop/vmx core/test/stop/main log/explorer/explorer log/explorer/hooks log/explorer/places; do
    compile $host.c
done
"${CC:-gcc}" -no-pie "$out"/*.o -o "$out/explore" -Wl,--gc-sections,--wrap=explorer_access,--wrap=__tsan_atomic32_exchange \
    -Wl,--wrap=doorbell_taken,--wrap=doorbell_ring_again,--wrap=hang_parked
