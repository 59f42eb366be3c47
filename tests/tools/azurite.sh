#!/usr/bin/env bash
# Puts a storage account of Azure for the tests of exports under target/tools: Azurite, from npm, with everything that it
# needs pinned. A second call does nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools="$PWD/target/tools"
folder="$tools/azurite"
wanted=tests/tools/azurite/package-lock.json
mkdir -p "$tools/bin"
if ! cmp --silent "$wanted" "$folder/from"; then
    command -v npm >/dev/null || {
        echo "The tests of exports in Azure need node and npm: install them and put them on PATH." >&2
        exit 1
    }
    rm -rf "$folder"
    mkdir -p "$folder"
    cp tests/tools/azurite/package.json "$wanted" "$folder"
    (cd "$folder" && npm ci --silent --ignore-scripts --no-audit --no-fund)
    # Last, so that it says that all went well.
    cp "$wanted" "$folder/from"
fi
program="$tools/bin/azurite-blob"
rm -f "$program"
printf '#!/bin/sh\nexec node "%s/node_modules/azurite/dist/src/blob/main.js" "$@"\n' "$folder" >"$program"
chmod +x "$program"
