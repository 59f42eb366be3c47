#!/usr/bin/env bash
# Builds and runs every benchmark, then composes benches/RESULTS.md of what they found.
set -euo pipefail
cd "$(dirname "$0")/.."
benches=(render ingest exports serving)
benches/tools.sh
tests/tools/exports.sh
rm -f target/bench/*.json
builds=()
for bench in "${benches[@]}"; do
    builds+=(--bench "$bench")
done
cargo bench --locked --no-run "${builds[@]}"
for bench in "${benches[@]}"; do
    cargo bench --locked --quiet --bench "$bench"
done
python3 benches/report.py
