#!/usr/bin/env bash
# Unpacks Debian packages into a folder, without root: tests/tools/debian.sh FOLDER PACKAGE...
# Package lists and downloads are kept under target/tools/apt, so that a fresh list of the system is not needed either.
set -euo pipefail
folder=$(realpath --canonicalize-missing "$1")
shift
cd "$(dirname "$0")/../.."
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    echo "There is no apt-get to fetch these packages with: $*. Install their programs and put them on PATH." >&2
    exit 1
fi

apt="$PWD/target/tools/apt"
archives="$apt/archives"
mkdir -p "$apt/lists/partial" "$archives/partial" "$folder"
options=(-qq -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt" -o "Dir::Cache::archives=$archives" -o APT::Sandbox::User= -o Debug::NoLocking=1)
apt-get "${options[@]}" update
for package in "$@"; do
    # An older version from an earlier call would be unpacked as well.
    rm -f "$archives/${package}"_*.deb
    (cd "$archives" && apt-get "${options[@]}" download "$package")
    dpkg-deb --extract "$archives/${package}"_*.deb "$folder"
done
