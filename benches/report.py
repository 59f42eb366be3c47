"""Composes benches/RESULTS.md of what the benchmarks found (target/bench/NAME.json) and of the machine they ran on."""

import json
import os
import platform
import re
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOUND = ROOT / "target" / "bench"
TOOLS = ROOT / "target" / "tools" / "bench"

# Every target: the benchmark that measures it, words that its finding holds, what it is about, and the target. A finding
# says itself what it is about; these words stand where nothing was found.
TARGETS = [
    ("scrape", r"CPU", "scrape, gzip, 100k series: CPU against client_golang const metrics", "at least 1,000 times less"),
    (
        "scrape",
        r"median time",
        "scrape, gzip and identity, 1k to 1M series: median time against nginx with the same static bytes",
        "at most 1.25 times, live part included",
    ),
    ("scrape", r"p99", "scrape p99 while a poll renders 100k series on the other core", "at most 3 times the quiet p50"),
    ("scrape", r"requests a second", "requests a second at 16 clients, 10k series, gzip, against nginx", "at least 0.7"),
    (
        "scrape",
        r"peak memory",
        "peak memory at 1M series, one charge period each, against client_golang const metrics",
        "at most a quarter",
    ),
    ("scrape", r"60 days", "memory of 100k label sets with 60 days each", "at most 250 MB a measure"),
    (
        "render",
        r"render",
        "render plus compress, all told, against prometheus-client's encoder plus zlib-rs alone over the same series",
        "at most 1.2 times",
    ),
    (
        "ingest",
        r"serde_json",
        "ingest over loopback HTTP, 1M rows: speed against serde_json into a Vec from memory",
        "at least 2 times",
    ),
    ("ingest", r"Go\b", "ingest: speed against Go's decoder from the same socket", "at least 4 times"),
    ("ingest", r"DuckDB", "ingest: speed against DuckDB from the same file", "at least 1.3 times"),
    (
        "ingest",
        r"memory",
        "memory of a 1M-row poll above the idle process",
        "at most 24 MB, the same at 10M rows",
    ),
    (
        "start",
        r"restore of",
        "restore of 100k series after a restart, to the first answered scrape",
        "at most 100 ms more than with none",
    ),
    ("start", r"idle", "idle process", "at most 20 MB"),
    ("start", r"binary", "release binary", "at most 15 MB"),
    ("scrape", r"growth", "growth of the scrape body: time(10n)/time(n)", "at most 11"),
    ("render", r"growth", "growth of render: time(10n)/time(n)", "at most 11"),
    ("ingest", r"growth", "growth of ingest: time(10n)/time(n)", "at most 11"),
    ("start", r"growth", "growth of restore: time(10n)/time(n)", "at most 11"),
]


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


def package(name):
    code = f"import importlib.metadata as m; print(m.version({name!r}))"
    return said(str(TOOLS / "bin" / "python"), "-c", code)


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
    yield "Python", f"{said(str(TOOLS / 'bin' / 'python'), '--version')}, prometheus-client {package('prometheus-client')}, duckdb {package('duckdb')}"
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


def judged(found):
    """A row for every target, and for every finding that is none of them."""
    left = {name: list(one["targets"]) for name, one in found.items()}
    for name, pattern, what, target in TARGETS:
        findings = left.get(name, [])
        # A growth is about the same things as the target beside it, so it is told by its own word.
        fits = [
            finding
            for finding in findings
            if re.search(pattern, finding["what"]) and (pattern == "growth" or "growth" not in finding["what"])
        ]
        if not fits:
            yield [what, target, "not measured", "no", ""]
        for finding in fits:
            findings.remove(finding)
            yield line(finding)
    for findings in left.values():
        yield from map(line, findings)


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
    yield from table(["what", "target", "measured", "met", "note"], judged(found))
    for name in ["scrape", "render", "ingest", "start", *sorted(set(found) - {"scrape", "render", "ingest", "start"})]:
        if name not in found:
            continue
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


found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOUND.glob("*.json"))}
if not found:
    sys.exit(f"nothing was found in {FOUND}: run make bench")
results = ROOT / "benches" / "RESULTS.md"
results.write_text("\n".join(report(found)) + "\n", encoding="utf-8")
print(f"wrote {results.relative_to(ROOT)}")
