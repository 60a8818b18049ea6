# shellcheck shell=sh
# What ci/deps.sh, ci/kernel.sh and ci/busybox.sh share: apt-get with or without root. Sourced, never run.

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

# own_lists DIRECTORY SUITE ARCH: from here on apt has lists of its own there: Debian SUITE's packages for ARCH and no others. Needs no root.
own_lists() {
    mkdir -p "$1/lists/partial" "$1/parts" "$1/archives/partial"
    : >"$1/status"
    own_key=signed-by=/usr/share/keyrings/debian-archive-keyring.gpg
    for own_part in "debian $2" "debian-security $2-security"; do
        echo "deb [$own_key] http://deb.debian.org/$own_part main"
    done >"$1/sources"
    cat >"$1/apt.conf" <<CONF
Dir::State "$1"; Dir::State::lists "$1/lists"; Dir::State::status "$1/status"; Dir::Cache "$1";
Dir::Etc::sourcelist "$1/sources"; Dir::Etc::sourceparts "$1/parts";
APT::Architecture "$3"; APT::Architectures "$3"; APT::Sandbox::User "$(id -un)"; Acquire::Languages "none";
CONF
    export APT_CONFIG="$1/apt.conf"
    apt-get -q update || true # one of two lists may do: what is wanted is looked for next
}
