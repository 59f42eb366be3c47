#!/usr/bin/env bash
# Puts the programs that the tests need under target/tools/bin: prometheus, promtool, alertmanager, amtool and
# victoria-metrics, unpacked without root. browser.sh brings Chromium and axe-core.
# Programs that are on PATH already are used as they are.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools="$PWD/target/tools"
bin="$tools/bin"
mkdir -p "$bin"
tests/tools/browser.sh

# Each program, its Debian package and its name there.
programs=(
    "prometheus prometheus prometheus"
    "promtool prometheus promtool"
    "amtool prometheus-alertmanager amtool"
    "victoria-metrics victoria-metrics victoria-metrics"
    "alertmanager prometheus-alertmanager prometheus-alertmanager"
)
missing=()
for line in "${programs[@]}"; do
    read -r program _ name <<<"$line"
    if [ ! -x "$bin/$program" ]; then
        if found=$(command -v "$program" || command -v "$name"); then
            ln -sf "$found" "$bin/$program"
        else
            missing+=("$line")
        fi
    fi
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    echo "The tests need prometheus, promtool, alertmanager, amtool and victoria-metrics: install them and put them on PATH." >&2
    exit 1
fi
# Package lists and downloads in a folder of our own, so that neither root nor a fresh system list is needed.
apt="$tools/apt"
mkdir -p "$apt/lists/partial" "$apt/archives/partial"
options=(-qq -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt" -o "Dir::Cache::archives=$apt/archives" -o APT::Sandbox::User= -o Debug::NoLocking=1)
apt-get "${options[@]}" update
for line in "${missing[@]}"; do
    read -r program package name <<<"$line"
    if [ ! -x "$tools/$package/usr/bin/$name" ]; then
        (cd "$apt/archives" && apt-get "${options[@]}" download "$package")
        dpkg-deb --extract "$apt/archives/${package}"_*.deb "$tools/$package"
    fi
    ln -sf "$tools/$package/usr/bin/$name" "$bin/$program"
    if [ "$program" = alertmanager ]; then
        # Debian's build looks for its templates under /usr/share, where only root could put them: the same path, relative and
        # as long, is found below the folder in which it starts.
        LC_ALL=C sed --in-place 's|/usr/share/prometheus/alertmanager|usr/share//prometheus/alertmanager|g' "$tools/$package/usr/bin/$name"
        rm "$bin/$program"
        printf '#!/bin/sh\ncd "%s" && exec usr/bin/%s "$@"\n' "$tools/$package" "$name" >"$bin/$program"
        chmod +x "$bin/$program"
    fi
done
