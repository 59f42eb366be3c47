#!/usr/bin/env bash
# Puts what the tests of the status page need in place: Chromium on PATH, from Debian's packages as root where it is missing,
# and axe-core under target/tools/axe, from npm.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools="$PWD/target/tools"
axe=axe-core@4.14.1
mkdir -p "$tools"

# Debian's packages that are missing, all at once. Who is not root is told what to install.
packages=()
command -v chromium >/dev/null || packages+=(chromium)
[ -e "$tools/$axe.tgz" ] || command -v npm >/dev/null || packages+=(npm)
if [ ${#packages[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "The tests of the status page need ${packages[*]}: install them and put them on PATH." >&2
        exit 1
    fi
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends "${packages[@]}"
fi

if [ ! -e "$tools/$axe.tgz" ]; then
    made=$(mktemp -d "$tools/axe.XXXXXX")
    trap 'rm -rf "$made"' EXIT
    archive=$(cd "$made" && npm pack --silent "$axe")
    rm -rf "$tools/axe"
    mkdir "$tools/axe"
    tar --extract --gzip --file "$made/$archive" --directory "$tools/axe" --strip-components 1
    # Last, so that it says that all went well.
    mv "$made/$archive" "$tools/$axe.tgz"
fi
