#!/bin/sh
# initramfs.sh: packs the guest's root: busybox, pal/guest's scripts, the programs, and a command. The same input gives the same bytes.
#
#   pal/initramfs.sh -p PALDIR -o OUTPUT [-c COMMAND] [-x EXTRA] [-l LOOPS] [-b BUSYBOX]
#
#   -p  the directory that has 32/ and 64/ (build/pal)           -x  a directory, copied to /extra in the guest
#   -o  the file to write, a gzipped cpio                        -l  how many times the demo loops, 100; braid.loops= overrides it
#   -c  what /init runs by `sh -c`, /pal/demo                    -b  the static busybox, /bin/busybox
set -eu

usage() {
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

command=/pal/demo loops=100 busybox=/bin/busybox extra='' pal='' output=''
while getopts p:o:c:x:l:b: option; do
    case $option in
        p) pal=$OPTARG ;;
        o) output=$OPTARG ;;
        c) command=${OPTARG:-/pal/demo} ;;
        x) extra=$OPTARG ;;
        l) loops=$OPTARG ;;
        b) busybox=$OPTARG ;;
        *) usage ;;
    esac
done
shift $((OPTIND - 1))
if [ -z "$pal" ] || [ -z "$output" ] || [ $# -ne 0 ]; then
    usage
fi

die() {
    echo "initramfs.sh: $*" >&2
    exit 1
}

case $loops in
    '' | *[!0-9]*) die "LOOPS is a number, not \"$loops\"" ;;
esac
[ -x "$busybox" ] || die "there is no $busybox: apt-get install busybox-static"
if readelf -lW "$busybox" | grep -q INTERP; then
    die "$busybox is not static: apt-get install busybox-static"
fi
[ -x "$pal/64/main" ] || die "there are no programs in $pal: make guest-programs"
[ -z "$extra" ] || [ -d "$extra" ] || die "EXTRA=$extra is no directory"

here=$(dirname "$0")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/bin" "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/braid" "$root/pal/32" "$root/pal/64"
cp "$busybox" "$root/bin/busybox"
cp "$here/guest/init" "$root/init"
cp "$here/guest/demo" "$here/guest/nmi_count" "$here/guest/nmi_sums" "$here/guest/hotplug" "$here/guest/storm" "$root/pal"
for width in 32 64; do
    cp -P "$pal/$width"/* "$root/pal/$width"
done
[ -z "$extra" ] || cp -rL "$extra" "$root/extra"
printf '%s\n' "$command" > "$root/braid/cmd"
printf '%s\n' "$loops" > "$root/braid/loops"

chmod -R u+rwX,go+rX,go-w "$root"
find "$root" -exec touch -h -d @0 {} +
mkdir -p "$(dirname "$output")"
(cd "$root" && find . | LC_ALL=C sort | cpio --quiet --reproducible -o -H newc -R 0:0) | gzip -9n > "$output.new"
mv "$output.new" "$output"
