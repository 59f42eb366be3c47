#!/usr/bin/env bash
# Puts the programs that the tests need under target/tools/bin: prometheus, promtool, alertmanager, amtool and
# victoria-metrics, unpacked without root. browser.sh brings Chromium and axe-core, exports.sh moto's S3 and DuckDB,
# azurite.sh a storage account of Azure.
# Programs that are on PATH already are used as they are.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools="$PWD/target/tools"
bin="$tools/bin"
mkdir -p "$bin"
tests/tools/browser.sh
tests/tools/exports.sh
tests/tools/azurite.sh

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

debian="$tools/debian"
readarray -t packages < <(printf '%s\n' "${missing[@]}" | awk '{print $2}' | sort --unique)
tests/tools/debian.sh "$debian" "${packages[@]}"
for line in "${missing[@]}"; do
    read -r program _ name <<<"$line"
    if [ "$program" != alertmanager ]; then
        ln -sf "$debian/usr/bin/$name" "$bin/$program"
        continue
    fi
    # Debian's build looks for its templates under /usr/share, where only root could put them: the same path, relative and
    # of the same length, is found below the folder in which it starts.
    LC_ALL=C sed --in-place 's|/usr/share/prometheus/alertmanager|usr/share//prometheus/alertmanager|g' "$debian/usr/bin/$name"
    # Not through a link of an earlier call.
    rm -f "$bin/$program"
    printf '#!/bin/sh\ncd "%s" && exec usr/bin/%s "$@"\n' "$debian" "$name" >"$bin/$program"
    chmod +x "$bin/$program"
done
