#!/usr/bin/env bash
# Puts the programs that the tests need under target/tools/bin, unpacked without root: prometheus and promtool,
# amtool, victoria-metrics. Programs that are on PATH already are used as they are.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools="$PWD/target/tools"
bin="$tools/bin"
mkdir -p "$bin"

# Each program and the Debian package, and the name in it, that it comes from.
programs=(
    prometheus prometheus prometheus
    promtool prometheus promtool
    amtool prometheus-alertmanager amtool
    victoria-metrics victoria-metrics victoria-metrics
)
missing=()
for ((at = 0; at < ${#programs[@]}; at += 3)); do
    program=${programs[at]}
    if [ ! -x "$bin/$program" ]; then
        if found=$(command -v "$program"); then
            ln -sf "$found" "$bin/$program"
        else
            missing+=("${programs[@]:at:3}")
        fi
    fi
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    echo "The tests need these programs, which can be put on PATH:" >&2
    for ((at = 0; at < ${#missing[@]}; at += 3)); do echo "  ${missing[at]}" >&2; done
    exit 1
fi
# Package lists and downloads in a folder of our own, so that neither root nor a fresh system list is needed.
apt="$tools/apt"
mkdir -p "$apt/lists/partial" "$apt/archives/partial"
options=(-qq -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt" -o "Dir::Cache::archives=$apt/archives" -o APT::Sandbox::User= -o Debug::NoLocking=1)
apt-get "${options[@]}" update
for ((at = 0; at < ${#missing[@]}; at += 3)); do
    program=${missing[at]} package=${missing[at + 1]} name=${missing[at + 2]}
    if [ ! -x "$tools/$package/usr/bin/$name" ]; then
        (cd "$apt/archives" && apt-get "${options[@]}" download "$package")
        dpkg-deb --extract "$apt/archives/${package}"_*.deb "$tools/$package"
    fi
    ln -sf "$tools/$package/usr/bin/$name" "$bin/$program"
done
