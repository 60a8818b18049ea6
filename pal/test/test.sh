#!/bin/sh
# test.sh PALDIR INITRAMFS.SH: what can be said of the guest's programs and its root without a hypervisor.
set -u
pal=$1
initramfs=$2
passed=0
failed=0
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

ok() { # NAME COMMAND...: counts it as passed if the command succeeds
    name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $name"
    fi
}

status_is() { # STATUS COMMAND...: leaves its output in $dir/out
    want=$1
    shift
    "$@" > "$dir/out" 2>&1
    got=$?
    [ $got -eq "$want" ] || { echo "  $*: status $got, not $want"; cat "$dir/out"; return 1; }
}

says() {
    grep -q -- "$1" "$dir/out" || { echo "  no \"$1\" in:"; cat "$dir/out"; return 1; }
}

refused() { # MESSAGE COMMAND...
    message=$1
    shift
    status_is 1 "$@" && says "$message"
}

misused() {
    status_is 2 "$@" && says "$1"
}

for width in 32 64; do
    lib=$("$pal/test$width") # unit tests count for themselves
    lib_status=$?
    count=$(echo "$lib" | tail -n 1)
    echo "$lib" | grep FAIL
    p=${count%% passed*}
    f=${count##*, }
    f=${f%% failed}
    case "$p$f" in
        '' | *[!0-9]*) p=0 f=1; echo "FAIL test$width: it did not finish, status $lib_status" ;;
    esac
    passed=$((passed + p))
    failed=$((failed + f))

    bin=$pal/$width
    ok "$width main alone" refused "no TrustVisor here" "$bin/main" 3 4
    ok "$width main computes" grep -q "^Without PAL: add(0x3, 0x4) = 0x7, then \*b = 0x5, no TrustVisor$" "$dir/out"
    ok "$width test alone" refused "no TrustVisor here" "$bin/test" 1
    ok "$width test_args alone" refused "no TrustVisor here" "$bin/test_args" 1 10 1
    ok "$width quiesce alone" refused "no TrustVisor here" "$bin/quiesce" 10
    ok "$width stall alone" refused "no TrustVisor here" "$bin/stall" exit
    ok "$width abandon alone" refused "no TrustVisor here" "$bin/abandon" 1
    ok "$width devmem alone" refused "no TrustVisor here" "$bin/devmem" 0x7800000
    for check in calls faults outside threads many; do
        ok "$width $check alone" refused "no TrustVisor here" "$bin/$check"
    done
    ok "$width example alone" refused "no TrustVisor here" "$pal/example/$width/pin" 1234 1111
    ok "$width main without arguments" misused "$bin/main"
    ok "$width main with words" status_is 2 "$bin/main" two 2
    ok "$width test with too large a number" status_is 2 "$bin/test" 99999999999999999999
    ok "$width programs by a false name" status_is 2 "$bin/programs"
done

# The checks fail where TrustVisor protects nothing. What passes even then: calls that this one refuses, PALs that are in order, a
# buffer that the kernel provides, or keeps, as it is touched.
for width in 32 64; do
    bin=$pal/unprotected/$width
    ok "$width faults fail unprotected" refused "^0 passed, 2[67] failed" "$bin/faults"
    ok "$width outside fails unprotected" refused "^2 passed, 18 failed" "$bin/outside"
    ok "$width calls fail unprotected" refused "^2 passed, 1[01] failed" "$bin/calls"
    ok "$width threads fail unprotected" refused "a running PAL was unregistered" "$bin/threads" unregister_running
    ok "$width threads compute unprotected" status_is 0 "$bin/threads" one_pal_two_threads
    ok "$width many fails unprotected" refused "^0 passed, 1 failed" "$bin/many"
    ok "$width no such case" status_is 2 "$bin/threads" nothing
done

# PAL code that cannot be copied is found when it is built.
cat > "$dir/bad.c" <<'END'
int counter;
__attribute__((section("pal_bad"))) int count(void) { return counter++; }
END
for width in 32 64; do
    gcc -m$width -fno-pie -O2 -c "$dir/bad.c" -o "$dir/bad.o"
    ok "$width stray reference found" refused "against counter" "$(dirname "$initramfs")/lib/check-code.sh" "$dir/bad.o"
done

list() {
    gzip -dc "$1" | cpio -it --quiet
}

member() { # FILE MEMBER
    gzip -dc "$1" | cpio -i --quiet --to-stdout "$2"
}

has() {
    list "$1" | grep -qx "$2"
}

equal() {
    [ "$1" = "$2" ] || { echo "  \"$1\" is not \"$2\""; return 1; }
}

pack() {
    "$initramfs" -p "$pal" "$@"
}

ok "initramfs" pack -o "$dir/a.gz"
for file in init bin/busybox braid/cmd pal/demo pal/nmi_count pal/hotplug pal/32/main pal/64/main pal/32/test_args pal/64/threads; do
    ok "initramfs has $file" has "$dir/a.gz" $file
done
ok "default command" equal "$(member "$dir/a.gz" braid/cmd)" /pal/demo
ok "default loops" equal "$(member "$dir/a.gz" braid/loops)" 100
ok "initramfs again" pack -o "$dir/b.gz"
ok "initramfs is reproducible" cmp "$dir/a.gz" "$dir/b.gz"
ok "initramfs is below 2 MiB" [ "$(wc -c < "$dir/a.gz")" -lt 2097152 ]
mkdir -p "$dir/extra/sub"
echo hello > "$dir/extra/sub/file"
command="echo 'one  two' \"\$HOME\" | tr a b; false"
ok "initramfs with all options" pack -o "$dir/c.gz" -c "$command" -x "$dir/extra" -l 7
ok "command verbatim" equal "$(member "$dir/c.gz" braid/cmd)" "$command"
ok "loops" equal "$(member "$dir/c.gz" braid/loops)" 7
ok "extra files" equal "$(member "$dir/c.gz" extra/sub/file)" hello
ok "no such EXTRA" refused "is no directory" "$initramfs" -p "$pal" -o "$dir/d.gz" -x "$dir/nowhere"
ok "no such programs" refused "there are no programs" "$initramfs" -p "$dir" -o "$dir/d.gz"
ok "no such busybox" refused "apt-get install busybox-static" "$initramfs" -p "$pal" -o "$dir/d.gz" -b "$dir/none"
ok "LOOPS that is no number" refused "LOOPS is a number" "$initramfs" -p "$pal" -o "$dir/d.gz" -l many
ok "usage" misused "$initramfs"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
