#!/usr/bin/env python3
"""Writes the section Dashboards of benches/RESULTS.md: report.py FOLDER, of the files NAME.json that measure.py left there."""

import json
import pathlib
import sys
from datetime import datetime, timezone

RESULTS = pathlib.Path(__file__).resolve().parent.parent / "RESULTS.md"
HEADING = "## Dashboards"
# Targets on two cores: seconds of one panel, and of one first screen in all.
TARGETS = {"raw": (3, 15), "recorded": (1, 5)}


def cells(*values):
    """A row of a table."""
    return "| " + " | ".join(str(value).replace("|", "\\|") for value in values) + " |"


def timed(one):
    """Seconds and samples of a panel."""
    return f"{one['seconds']:.2f} s, {one['samples'] / 1e6:.1f} M"


def section(now, before):
    """The section's lines."""
    yield HEADING
    yield ""
    yield f"Measured on {datetime.now(timezone.utc):%Y-%m-%d} by `make bench-dashboards`: 10,000 label sets in 50 accounts, 90 days of hourly samples, in a Prometheus 2.42 on"
    yield "two cores, with the steps that Grafana takes for 90 days on a page 1600 px wide. Times are wall-clock times of the panel's queries one after the other, of the faster of two runs;"
    yield "other work on the machine adds to them. M are million samples that the query looked at. A panel that repeats by currency is one line for each currency."
    peak = max(one["peak"] for found in now.values() for one in found)
    yield f"At most {peak / 1e6:.1f} million samples are in memory at a time; Prometheus allows a query 50 million by default."
    yield ""
    yield "### The ten slowest panels"
    yield ""
    for source, found in now.items():
        panel, _ = TARGETS[source]
        yield f"With {source} series (target: at most {panel} s a panel):"
        yield ""
        yield cells("dashboard", "panel", "time, samples")
        yield "|---|---|---|"
        for one in sorted(found, key=lambda one: -one["seconds"])[:10]:
            yield cells(one["board"], one["panel"], timed(one))
        yield ""
    yield "### First screens"
    yield ""
    yield cells("dashboard", *(["before"] if before else []), *(f"{source} (target {TARGETS[source][1]} s)" for source in now))
    yield "|---|" + "---|" * (len(now) + bool(before))
    runs = ([before["raw"]] if before else []) + list(now.values())
    for board in sorted({one["board"] for one in now["raw"]}):
        sums = (sum(one["seconds"] for one in run if one["board"] == board and one["top"]) for run in runs)
        yield cells(board, *(f"{total:.2f} s" for total in sums))
    if before:
        yield ""
        yield "### Before"
        yield ""
        yield "The ten slowest panels of the dashboards that took one of each pair of series before they added:"
        yield ""
        yield cells("dashboard", "panel", "time, samples")
        yield "|---|---|---|"
        for one in sorted(before["raw"], key=lambda one: -one["seconds"])[:10]:
            yield cells(one["board"], one["panel"], timed(one))


def main():
    """Replaces the section, the last of the file."""
    folder = pathlib.Path(sys.argv[1])
    now, before = (json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
                   for path in (folder / "now.json", folder / "before.json"))
    rest = RESULTS.read_text(encoding="utf-8").partition(f"\n{HEADING}\n")[0].rstrip("\n")
    RESULTS.write_text(rest + "\n\n" + "\n".join(section(now, before)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
