#!/usr/bin/env bash
# Make .venv hold what pyproject.toml asks for, and say in one sentence what cannot be done.
#   tools/setup.sh            Python environment, libraries for rendering, robot models
#   tools/setup.sh browser    Chromium, for the browser tests
#   LOCKED=1 tools/setup.sh   the same with exactly the versions in requirements.lock
# What is done is not repeated; what was interrupted goes on, because the stamp is written last.
set -euo pipefail
cd "$(dirname "$0")/.."

RENDERING="libegl1 libegl-mesa0 libgl1-mesa-dri"
EXTRAS='.[sim,deploy,drive,notebooks,test,dev,docs]'
VENV=.venv
STAMP=$VENV/.installed

say() { printf '%s\n' "$*"; }
fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

# Two commands started at once wait for each other instead of installing over each other.
exec 9<tools/setup.sh
if command -v flock >/dev/null; then flock 9; fi

may_install() { command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; }

missing_packages() {
    local package
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s ' "$package"
    done
}

# system_packages WHAT_FOR PACKAGE...: installs what is missing where it may, else names the command.
system_packages() {
    local purpose=$1 missing
    shift
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    if may_install; then
        say "Installing ${missing}for $purpose"
        # shellcheck disable=SC2086  # a list of names
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } \
            >/dev/null 2>$VENV/apt.log && return 0
        say "note: $purpose is left out, because apt-get failed ($(tail -n 1 $VENV/apt.log)); try: apt-get install $missing"
    else
        say "note: for $purpose run: sudo apt-get install $missing"
    fi
}

is_312() { "$@" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 12))' >/dev/null 2>&1; }

create_venv() {
    local candidate
    # Every python on the path is asked: a version manager's may stand in front of the system's and have no 3.12.
    while read -r candidate; do
        if [ -n "$candidate" ] && is_312 "$candidate"; then
            "$candidate" -m venv --clear $VENV
            return
        fi
    done < <(printf '%s\n' "${PYTHON:-}"; type -aP python3.12 python3 python || true)
    if command -v uv >/dev/null; then
        rm -rf $VENV
        uv venv --quiet --seed --python 3.12 $VENV && return
    fi
    fail "Python 3.12 was not found; install it (pyenv install 3.12, uv python install 3.12, or your system's python3.12" \
        "with its venv package), or name it as PYTHON=/path/to/python3.12, and run the command again"
}

install() {
    local free constraint=()
    if [ -n "$locked" ]; then constraint=(-c requirements.lock); fi
    if [ ! -d $VENV/lib/python3.12/site-packages/torch ]; then # an environment may be there without the simulator
        free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1048576) }')
        [ "$free" -ge 10 ] || fail "$VENV: the packages take about 8 GiB and only $free GiB are free; make room and run the command again"
    fi
    if ! { is_312 $VENV/bin/python && $VENV/bin/python -m pip --version >/dev/null 2>&1; }; then create_venv; fi
    say "Installing the packages into $VENV: about 8 GiB, some minutes, once. Details in $VENV/install.log"
    # The large downloads are the only news worth a line; whatever goes wrong, pip says on stderr.
    $VENV/bin/python -m pip install --no-input --disable-pip-version-check "${constraint[@]}" -e "$EXTRAS" |
        tee $VENV/install.log |
        awk '/(Downloading|Using cached) .*\(([0-9]{3,}\.[0-9]+ MB|[0-9.]+ GB)\)/ { print "  " $(NF-2), $(NF-1), $NF }
             /^Installing collected packages/ { print "  unpacking" } { fflush() }' ||
        fail "the installation stopped (details above and in $VENV/install.log); run the command again to go on"
}

install_physx() {
    local packages
    packages=$(awk '/^physx = / { gsub(/^physx = |[][",]/, ""); print }' pyproject.toml)
    # Without requirements: Isaac Lab brings them, and ovphysx asks for an older packaging than pytest. There are wheels
    # for Linux on x86-64 with glibc 2.35 only; everything but PhysX works without them.
    # shellcheck disable=SC2086  # a list of names
    $VENV/bin/python -m pip install --no-input --disable-pip-version-check --quiet --no-deps $packages 2>$VENV/physx.log ||
        say "note: PhysX is left out, because pip failed ($(grep -m 1 ERROR $VENV/physx.log || tail -n 1 $VENV/physx.log))"
}

if [ "${1:-}" = browser ]; then
    for browser in chromium chromium-browser google-chrome; do
        if command -v $browser >/dev/null; then exit 0; fi
    done
    system_packages "the browser tests" chromium
    exit 0
fi

locked=${LOCKED:-} exact=
if [ "$locked" = 0 ]; then locked=; fi
# A locked environment also has all that an unlocked one wants, so its stamp holds both sums.
ranges=$(cat pyproject.toml tools/setup.sh | sha256sum)
if [ -n "$locked" ]; then exact=$(cat pyproject.toml tools/setup.sh requirements.lock | sha256sum); fi
wanted=${exact:-$ranges}
if [[ $(cat $STAMP 2>/dev/null) != *"$wanted"* ]]; then
    install
    install_physx
    if command -v dpkg-query >/dev/null; then
        # shellcheck disable=SC2086
        system_packages "rendering the robot (drawings take its place until then)" $RENDERING
        system_packages "PhysX" libgl1
    elif ! ldconfig -p 2>/dev/null | grep -q libEGL.so.1; then
        say "note: for rendering the robot install EGL with Mesa; until then drawings take its place"
    fi
    say "Building the robot models"
    $VENV/bin/python -m amp_helpers.robots
    printf '%s\n' "$ranges" ${exact:+"$exact"} >$STAMP
else
    # The models live in the user's cache, which can be emptied; with them in place this takes a tenth of a second.
    $VENV/bin/python -m amp_helpers.robots >/dev/null
fi
