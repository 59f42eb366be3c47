#!/usr/bin/env bash
# Packs target/release/cloudspend-exporter (or the binary named) into a Debian package under target/debian: deb.sh [BINARY].
# cargo-deb is compiled under target/tools the first time, which takes minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools="$PWD/target/tools"
binary="${1:-target/release/cloudspend-exporter}"
wanted=3.8.0
if [ "$("$tools/bin/cargo-deb" --version 2>/dev/null | grep -o '[0-9.]*$')" != "$wanted" ]; then
    cargo install --quiet --locked --root "$tools" "cargo-deb@$wanted"
fi
# What the binary itself prints belongs into the package, so that it always fits.
made=target/package
mkdir -p "$made"
"$binary" manual >"$made/cloudspend-exporter.1"
"$binary" completions bash >"$made/cloudspend-exporter.bash"
"$binary" completions zsh >"$made/_cloudspend-exporter"
"$binary" completions fish >"$made/cloudspend-exporter.fish"
{
    version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)
    printf 'cloudspend-exporter (%s-1) unstable; urgency=medium\n\n  * What changed stands in CHANGELOG.md.\n\n' "$version"
    printf ' -- %s  %s\n' "$(sed -n 's/^maintainer = "\(.*\)"$/\1/p' Cargo.toml)" "$(git log -1 --format=%cD 2>/dev/null || date -R)"
} >"$made/changelog"
mkdir -p "$made/release" target/debian
strip -o "$made/release/cloudspend-exporter" "$binary"
# The folder tells cargo-deb where `target/release` is.
CARGO_TARGET_DIR="$made" PATH="$tools/bin:$PATH" cargo-deb --no-build --quiet --output target/debian/
