# shellcheck shell=sh
# What ci/deps.sh and ci/kernel.sh share: apt-get with or without root. Sourced, never run.

# as_root COMMAND...: run it as root; 1 when this user has no way to be root. sudo may ask for a password, but only a person.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
        sudo "$@"
    else
        return 1
    fi
}

can_be_root() {
    as_root true
}

# lists_are_fresh: is there a package list, younger than a week? Older ones name versions that the mirrors have dropped.
lists_are_fresh() {
    find /var/lib/apt/lists -maxdepth 1 -name '*Packages*' -mtime -7 2>/dev/null | grep -q .
}

# apt_get ARGUMENTS...: apt-get that asks nothing and waits for another apt-get instead of failing.
apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=300 "$@"
}
