#!/bin/sh
# usage: kernel.sh OUT FLAVOUR [SUITE ARCH]
# Write to OUT the kernel of Debian's package linux-image-FLAVOUR (amd64, cloud-amd64, 686-pae), unmodified. The package is fetched and
# unpacked, not installed; any user can do that. What OUT is, stands beside it in OUT.version. SUITE and ARCH take it from another
# Debian, or for another architecture, with package lists of its own: the system's are neither needed nor touched.
set -eu
out=$1 flavour=$2 suite=${3-} arch=${4-}
# shellcheck source=apt.sh
. "$(dirname "$0")/apt.sh"

# image: the package that linux-image-FLAVOUR depends on now, such as linux-image-6.1.0-30-amd64.
image() {
    apt-cache show --no-all-versions "linux-image-$flavour" 2>/dev/null |
        sed -n "s/^Depends:.*\(linux-image-[0-9][^ ,]*-$flavour\).*/\1/p"
}

fetch() {
    package=$(image)
    [ -n "$package" ] && (cd "$work" && apt-get -q -o APT::Sandbox::User="$(id -un)" download "$package")
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -n "$suite" ]; then
    own_lists "$work" "$suite" "$arch"
    if ! fetch; then
        echo "kernel: Debian $suite's linux-image-$flavour for $arch could not be fetched; is deb.debian.org within reach?" >&2
        exit 1
    fi
elif ! fetch; then
    # No list, or one that names a version that the mirror has dropped.
    if ! apt_get update || ! fetch; then
        echo "kernel: Debian's kernel could not be fetched; let root run apt-get update, then make again" >&2
        exit 1
    fi
fi
mkdir -p "$(dirname "$out")"
dpkg-deb --fsys-tarfile "$work"/linux-image-*.deb | tar -x -C "$work" --wildcards './boot/vmlinuz-*'
dpkg-deb -f "$work"/linux-image-*.deb Package Version >"$out.version"
mv "$work"/boot/vmlinuz-* "$out"
touch "$out" # its own date would look stale to make
