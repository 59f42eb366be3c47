"""Composes benches/RESULTS.md of what the benchmarks found (target/bench/NAME.json) and of the machine they ran on."""

import json
import os
import platform
import re
import subprocess
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOUND = ROOT / "target" / "bench"
TOOLS = ROOT / "target" / "tools" / "bench"
ORDER = ["scrape", "render", "ingest", "exports", "start"]
# `make bench-dashboards` writes the last section, which stays as it is here.
DASHBOARDS = "## Dashboards"


def said(*command):
    """The first line that a program says about itself; what is missing is told as such."""
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "missing"
    lines = (run.stdout + run.stderr).strip().splitlines()
    return lines[0] if lines else "missing"


def from_file(path, pattern, default):
    match = re.search(pattern, Path(path).read_text(encoding="utf-8"), re.MULTILINE)
    return match.group(1).strip() if match else default


def locked(name):
    lock = (ROOT / "Cargo.lock").read_text(encoding="utf-8")
    match = re.search(rf'name = "{name}"\nversion = "([^"]+)"', lock)
    return match.group(1) if match else "missing"


def machine():
    kilobytes = int(from_file("/proc/meminfo", r"^MemTotal:\s+(\d+)", "0"))
    distribution = from_file("/etc/os-release", r'^PRETTY_NAME="?([^"\n]+)', "unknown")
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    cpu = from_file("/proc/cpuinfo", r"^model name\s*:(.*)", platform.machine())
    yield "CPU", f"{cpu}, {os.cpu_count()} cores"
    yield "memory", f"{kilobytes / 1024 / 1024:.1f} GiB"
    yield "system", f"{distribution}, Linux {platform.release()}"
    yield "load at the end of the run (1, 5, 15 minutes)", load
    yield "Rust", said("rustc", "--version")
    yield "crates", f"prometheus-client {locked('prometheus-client')}, flate2 {locked('flate2')} with zlib-rs {locked('zlib-rs')}, serde_json {locked('serde_json')}"
    version = (TOOLS / "go-version").read_text(encoding="utf-8").strip() if (TOOLS / "go-version").exists() else "missing"
    yield "Go", f"{version}, client_golang {go_library()}"
    yield "DuckDB", said(str(ROOT / "target" / "tools" / "bin" / "exports-python"), "-c", "import duckdb; print(duckdb.__version__)")
    yield "nginx", said(str(TOOLS / "bin" / "nginx"), "-v")


def go_library():
    for archive in sorted((TOOLS / "archives").glob("golang-github-prometheus-client-golang-dev_*")):
        return archive.name.split("_")[1]
    return "of the system"


def table(columns, rows):
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def line(finding):
    met = "yes" if finding["met"] else "**no**"
    return [finding["what"], finding["target"], finding["measured"], met, finding.get("note") or ""]


def report(found):
    yield "# Results of the benchmarks"
    yield ""
    yield f"Written by `make bench` on {datetime.now(timezone.utc):%Y-%m-%d}; not edited by hand."
    yield ""
    yield "Only the ratios within one run count: the times are those of one machine, which may have been busy, and of another run they"
    yield "would be others. Everything goes over loopback, each server in a process of its own. CPU is user and system time of the server."
    yield "Scrapes of ours and of nginx are timed in turn, with the server on one processor and its client on another: left to the"
    yield "scheduler, which of them shares the client's processor would decide more than the server does."
    yield ""
    yield "**What is rendered once is not saved but moved: from the scrape to the poll.** Windows, sorting, encoding and compressing cost"
    yield "what they cost, once a change instead of once a scrape. With one scrape a poll the gain is the small one of the table"
    yield "\"What rendering once costs\", not the large one of a single scrape; and Prometheus itself spends most of a scrape on its own parsing."
    yield ""
    yield "## The machine"
    yield ""
    yield from table(["what", "which"], [list(pair) for pair in machine()])
    yield ""
    yield "## Targets"
    yield ""
    findings = (finding for name in ORDER for finding in found[name]["targets"])
    yield from table(["what", "target", "measured", "met", "note"], map(line, findings))
    for name in ORDER:
        yield ""
        yield f"## {name.capitalize()}"
        yield ""
        at = datetime.fromtimestamp((FOUND / f"{name}.json").stat().st_mtime, timezone.utc)
        yield f"Measured until {at:%Y-%m-%d %H:%M} UTC."
        for one in found[name]["tables"]:
            yield ""
            yield f"### {one['title']}"
            yield ""
            yield from table(one["columns"], one["rows"])


found = {name: json.loads((FOUND / f"{name}.json").read_text(encoding="utf-8")) for name in ORDER}
results = ROOT / "benches" / "RESULTS.md"
_, heading, kept = results.read_text(encoding="utf-8").partition(f"\n{DASHBOARDS}\n")
results.write_text("\n".join(report(found)) + "\n" + heading + kept, encoding="utf-8")
print(f"wrote {results.relative_to(ROOT)}")
