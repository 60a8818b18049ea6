#!/bin/sh
# usage: busybox.sh OUT ARCH
# Write to OUT the busybox of Debian's package busybox-static for another architecture, fetched and unpacked, not installed.
set -eu
out=$1 arch=$2
# shellcheck source=apt.sh
. "$(dirname "$0")/apt.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
own_lists "$work" bookworm "$arch"
if ! (cd "$work" && apt-get -q download busybox-static); then
    echo "busybox: busybox-static for $arch could not be fetched; is deb.debian.org within reach?" >&2
    exit 1
fi
mkdir -p "$(dirname "$out")"
dpkg-deb --fsys-tarfile "$work"/busybox-static_*.deb | tar -x -C "$work" --wildcards './bin/busybox'
mv "$work/bin/busybox" "$out"
touch "$out" # its own date would look stale to make
