#!/bin/sh
# Negative controls: the shipped sources with one rule broken must be caught by the explorer, in the scenario named.
# Usage: mutants.sh OUT, where the mutants are built with the compiler CC.
out=$1
passed=0 failed=0

# mutant NAME SCENARIO FILE SED
mutant() {
    dir=$out/$1
    mkdir -p "$dir/log"
    sed "$4" "log/$3" >"$dir/log/$3"
    verdict=caught
    if cmp -s "log/$3" "$dir/log/$3"; then
        verdict="its sed changes nothing in log/$3 any more"
    elif ! log/explorer/build.sh "$dir" "$dir"; then
        verdict="it does not compile"
    else
        said=$("$dir/explore" "$2")
        case $said in
        *FAIL\ "$2"*) ;;
        *) verdict="the explorer does not see it" ;;
        esac
    fi
    rm -f "$dir"/*.o
    if [ "$verdict" = caught ]; then
        passed=$((passed + 1))
        echo "ok   mutant $1: $(printf '%s\n' "$said" | sed -n 's/^FAIL [^:]*: .*context: \(.*\); schedule:.*/\1/p' | head -n 1)"
    else
        failed=$((failed + 1))
        echo "FAIL mutant $1: $verdict"
    fi
}

mutant no-second-look ring ring.c 's/return atomic_load_explicit(&slot->stamp, memory_order_relaxed) == n;/return true;/'
mutant publish-before-fill ring ring.h 's/atomic_store_explicit(&slot->stamp, 0, /atomic_store_explicit(\&slot->stamp, n, /'
mutant burst-too-large uart uart.c 's,(cpus \* CONTEXTS_PER_CPU),cpus * CONTEXTS_PER_CPU,'
mutant busy-ignored pump-sync send.c 's/if (log_get(self->busy))/if (0)/'
mutant losses-not-counted pump send.c 's/log_add(writer->dropped, lost);/;/'
mutant right-not-given-back owner-nmi owner.c 's/change(value, right->below)/change(value, 0)/'
mutant never-taken-over takeover owner.c 's/> LOG_OWNER_STILL \* log_uart.patience/> UINT64_MAX - 1/'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
