#!/usr/bin/env bash
# Puts the programs that the tests need under target/tools/bin: prometheus and promtool, unpacked without root; browser.sh
# brings Chromium and axe-core.
# Programs that are on PATH already are used as they are.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools="$PWD/target/tools"
bin="$tools/bin"
mkdir -p "$bin"
tests/tools/browser.sh

missing=()
for program in prometheus promtool; do
    if [ ! -x "$bin/$program" ]; then
        if found=$(command -v "$program"); then
            ln -sf "$found" "$bin/$program"
        else
            missing+=("$program")
        fi
    fi
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    echo "The tests need ${missing[*]}: install Prometheus and put it on PATH." >&2
    exit 1
fi
# Package lists and downloads in a folder of our own, so that neither root nor a fresh system list is needed.
apt="$tools/apt"
mkdir -p "$apt/lists/partial" "$apt/archives/partial"
options=(-qq -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt" -o "Dir::Cache::archives=$apt/archives" -o APT::Sandbox::User= -o Debug::NoLocking=1)
apt-get "${options[@]}" update
(cd "$apt/archives" && apt-get "${options[@]}" download prometheus)
dpkg-deb --extract "$apt"/archives/prometheus_*.deb "$tools/prometheus"
for program in "${missing[@]}"; do
    ln -sf "$tools/prometheus/usr/bin/$program" "$bin/$program"
done
