#!/bin/sh
# usage: deps.sh [LIST]: install the Debian packages of ci/LIST, by default ci/packages, that are missing; with none
# missing, apt-get is not run at all. Without root or sudo: name them, with the command that installs them, and exit 1.
set -eu
here=$(dirname "$0")
list=$here/${1:-packages}
# shellcheck source=apt.sh
. "$here/apt.sh"

if ! command -v dpkg-query >/dev/null; then
    echo "deps: this is not Debian. Install by hand what $list names, then: touch build/deps.stamp" >&2
    exit 1
fi

missing=
# Package names have no blanks: words are what is wanted.
# shellcheck disable=SC2013
for package in $(sed 's/#.*//' "$list"); do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

install="apt-get install -y --no-install-recommends$missing"
if ! can_be_root; then
    echo "deps: these packages are missing:$missing" >&2
    echo "deps: neither root nor sudo here; let root run: apt-get update && $install" >&2
    exit 1
fi
echo "deps: installing$missing"
updated=no
if ! lists_are_fresh; then
    apt_get update
    updated=yes
fi
# The words of $missing are package names, one argument each.
# shellcheck disable=SC2086
if ! apt_get install --no-install-recommends $missing; then
    if [ $updated = yes ]; then
        echo "deps: apt-get failed, see above; then again: $install" >&2
        exit 1
    fi
    # A list can be stale before its week is over.
    apt_get update
    # shellcheck disable=SC2086
    apt_get install --no-install-recommends $missing
fi
