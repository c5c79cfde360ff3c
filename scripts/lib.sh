# Shell functions shared by ./demo, ./test and ./bench: steps that say what they do and how long it took, and the
# preparations that more than one command needs. Every preparation can be repeated, and does only what is missing.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ROOT=$PWD
LOGS=$ROOT/build/logs
VENV=$ROOT/.venv
BINARY=$ROOT/build/release/bin/cellblock
source scripts/packages.sh

child=
# A child of a script ignores Ctrl-C, so it is ended by hand, with everything that it started.
trap 'if [ -n "$child" ]; then kill -TERM -- "-$child" 2>/dev/null || true; fi; echo; exit 130' INT TERM

# step NAME COMMAND...: one line on the terminal, the rest in a log. On failure: the end of the log, and its path.
step() {
    local name=$1 log began now line status=0 last_report=0
    shift
    mkdir -p "$LOGS"
    log=$LOGS/$(tr -cs 'a-z0-9' '-' <<<"${name,,}" | sed 's/^-*//; s/-*$//').log
    began=$SECONDS
    [ -t 1 ] || printf '  %s ...\n' "$name"
    # Job control gives the step a process group of its own, which Ctrl-C can end as a whole. Functions are steps
    # too, with `set -e` in force, which a plain `"$@" ||` would switch off.
    export -f $(compgen -A function)
    set -m
    bash -c 'set -euo pipefail; "$@"' step "$@" >"$log" 2>&1 </dev/null &
    child=$!
    set +m
    while kill -0 "$child" 2>/dev/null; do
        sleep 0.2
        now=$((SECONDS - began))
        if [ -t 1 ]; then
            line=$(tail -n 1 "$log" | tr -d '\r' | cut -c -60)
            printf '\r\033[K  %-34s %4d s  %s' "$name" "$now" "$line"
        elif ((now - last_report >= 30)); then
            last_report=$now
            printf '    %d s: %s\n' "$now" "$(tail -n 1 "$log" | cut -c -100)"
        fi
    done
    wait "$child" || status=$?
    child=
    [ -t 1 ] && printf '\r\033[K'
    if ((status == 0)); then
        printf '  %-34s %4d s\n' "$name" $((SECONDS - began))
        return 0
    fi
    printf '  %-34s FAILED after %d s\n\n' "$name" $((SECONDS - began))
    tail -n 25 "$log" | sed 's/^/    /'
    printf '\nThe step "%s" failed with status %d. Its whole output: %s\n' "$name" "$status" "$log"
    exit 1
}

# Runs as root: directly, or with sudo. A password is asked for only where somebody can type it.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

can_be_root() {
    [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }; }
}

missing_packages() {
    local package
    for package in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

apt_update() { as_root apt-get update; }

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

# packages NAME...: asks apt only when something is missing.
need_packages() {
    local missing
    mapfile -t missing < <(missing_packages "$@")
    ((${#missing[@]})) || return 0
    if ! can_be_root; then
        printf 'These Debian packages are missing, and installing them needs root:\n\n  apt-get install %s\n\n' \
            "${missing[*]}" >&2
        printf 'Run that as root (or install sudo and be allowed to use it), then run this again.\n' >&2
        exit 1
    fi
    step "Reading package lists" apt_update
    step "Installing ${#missing[@]} packages" apt_install "${missing[@]}"
}

build_preset() {
    local preset=$1
    shift
    cmake --preset "$preset" "$@" && cmake --build --preset "$preset"
}

build_fuzzers() { cmake --preset fuzz && cmake --build --preset fuzz --target fuzzers; }

# The release build, which is what people run and what the tests test.
# Where the backend looks for it. It is in no distribution; with Go, building it takes minutes.
install_gvisor() {
    local directory
    for directory in /usr/bin /usr/local/bin; do
        if [ -x "$directory/runsc" ]; then return; fi
    done
    PATH="$PATH:/usr/local/go/bin"
    command -v go >/dev/null || {
        echo "gVisor is built with Go 1.26 or later: https://go.dev/doc/install" >&2
        return 1
    }
    as_root env "PATH=$PATH" GOBIN=/usr/local/bin CGO_ENABLED=0 go install gvisor.dev/gvisor/runsc@latest
}

need_release() { step "Building (release)" build_preset release; }

install_requirements() {
    local file=$1 python=$VENV/bin/python
    # Another minor version of the system's Python makes an old environment useless.
    if [ -e "$VENV" ] && ! "$python" -c 'import sys, pip; sys.exit(sys.version_info[:2] != tuple(map(int, sys.argv[1].split("."))))' \
        "$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')" 2>/dev/null; then
        rm -rf "$VENV"
    fi
    [ -e "$VENV" ] || /usr/bin/python3 -m venv "$VENV"
    "$python" -m pip install --disable-pip-version-check --no-input -r "$file"
}

# need_venv FILE: .venv with what FILE pins; nothing happens when it has been installed from this very FILE.
need_venv() {
    local file=$1 stamp=$VENV/.installed-$1 digest
    digest=$(cat requirements*.txt | sha256sum)
    if [ "$(cat "$stamp" 2>/dev/null)" != "$digest" ] || ! "$VENV/bin/python" -c 'import IPython' 2>/dev/null; then
        export VENV
        step "Python environment (${file%.txt})" install_requirements "$file"
        echo "$digest" >"$stamp"
    fi
}

# The strongest isolation level that this host gives the user who runs this: full, namespaced or none. (A doctor that
# finds something missing says so in its exit status too; what counts here is what it prints.)
strongest_level() {
    { "$BINARY" doctor --json 2>/dev/null || true; } | /usr/bin/python3 scripts/doctor_level.py || true
}

# Hosts with cgroup v1, or without systemd, give ordinary users no cgroups; root can, until the next boot. The value
# is the level that can be had then.
level_after_delegation() {
    local level
    level=$(strongest_level)
    if [ "$level" != full ] && [ "$(id -u)" != 0 ] && command -v sudo >/dev/null &&
        sudo -n "$BINARY" delegate "$(id -un)" >/dev/null 2>&1; then
        level=$(strongest_level)
    fi
    echo "$level"
}

install_kernelspec() {
    "$BINARY" install --python "$VENV/bin/python" --prefix "$VENV" --name cellblock "$@"
}
