#!/usr/bin/env bash
# Counts instructions under Callgrind and fails where they have grown by more than 5 %. Installs the runner of gungraun under
# target/tools, and Debian's valgrind where there is none.
set -euo pipefail
cd "$(dirname "$0")/.."
tools="$PWD/target/tools"
version=$(sed -n 's/^gungraun = "=\(.*\)"$/\1/p' Cargo.toml)
if [ "$("$tools/bin/gungraun-runner" --version 2>/dev/null | awk '{print $2}')" != "$version" ]; then
    cargo install --quiet --locked --root "$tools" gungraun-runner --version "$version"
fi
export PATH="$tools/bin:$PATH"
cargo bench --locked --profile counts --bench counts -- "$@"
