#!/usr/bin/env bash
# Counts instructions under Callgrind and fails where they have grown by more than 5 %. The runner of gungraun and, where there
# is none, Debian's valgrind are put under target/tools, without root.
set -euo pipefail
cd "$(dirname "$0")/.."
tools="$PWD/target/tools"
mkdir -p "$tools/bin"
export PATH="$tools/bin:$PATH"
version=$(sed -n 's/^gungraun = "=\(.*\)"$/\1/p' Cargo.toml)
if [ "$("$tools/bin/gungraun-runner" --version 2>/dev/null | awk '{print $2}')" != "$version" ]; then
    cargo install --quiet --locked --root "$tools" gungraun-runner --version "$version"
fi
if ! command -v valgrind >/dev/null; then
    tests/tools/debian.sh "$tools/valgrind" valgrind
    # It looks for its tools where it would be installed unless it is told.
    printf '#!/bin/sh\nexport VALGRIND_LIB="%s/usr/libexec/valgrind"\nexec "%s/usr/bin/valgrind" "$@"\n' "$tools/valgrind" "$tools/valgrind" >"$tools/bin/valgrind"
    chmod +x "$tools/bin/valgrind"
fi
cargo bench --locked --profile counts --bench counts -- "$@"
