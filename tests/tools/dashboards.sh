#!/usr/bin/env bash
# dashboards.sh write: makes dashboards/*.json anew. dashboards.sh check: makes them elsewhere, compares, and checks them.
# The generator's packages go into a folder of their own under target/tools.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv="$PWD/target/tools/dashboards-venv"
wanted=dashboards/requirements.txt
if ! cmp --silent "$wanted" "$venv/requirements.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
    cp "$wanted" "$venv/requirements.txt"
fi
export PYTHONDONTWRITEBYTECODE=1
case "${1:-}" in
write)
    "$venv/bin/python" dashboards/generate.py
    ;;
check)
    made=$(mktemp -d)
    trap 'rm -rf "$made"' EXIT
    "$venv/bin/python" dashboards/generate.py "$made"
    "$venv/bin/python" dashboards/check.py "$made"
    ;;
*)
    echo "usage: $0 write|check" >&2
    exit 2
    ;;
esac
