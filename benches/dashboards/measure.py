#!/usr/bin/env python3
"""What the panels cost: measure.py DATA BOARDS [NAME] runs every query of the dashboards in a folder over a loaded Prometheus.

Prints the ten slowest panels, and what each dashboard's first screen takes in all, with raw and with recorded series, and keeps
them as target/bench/dashboards/NAME.json. The steps are those that Grafana takes for 90 days on a page 1600 px wide.
"""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

from load import HOUR, NOW

RANGE = 90 * 24 * HOUR
PAGE = 1600
# Rows of the grid that a window of 1600 x 900 shows below Grafana's own head.
FIRST_SCREEN = 22
# Grafana rounds the step that the width allows: below the first value to the second.
STEPS = [(5400, HOUR), (9000, 2 * HOUR), (16200, 3 * HOUR), (32400, 6 * HOUR), (86400, 12 * HOUR), (604800, 24 * HOUR)]
UNITS = {"s": 1, "m": 60, "h": HOUR, "d": 24 * HOUR}
CURRENCIES = ["EUR", "BRL", "USD"]
CHOSEN = {"customer": "otc-0-customer-0", "budget": "budget-0"}
# What the variable Cost has for billed cost, its default.
COST = "billed_only"


class Prometheus:
    """A Prometheus over a folder, for as long as it is needed."""

    def __init__(self, data):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        config = tempfile.NamedTemporaryFile("w", suffix=".yml", delete=False)
        config.write("global: {}\n")
        config.close()
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={config.name}", f"--storage.tsdb.path={data}", "--storage.tsdb.retention.time=10y",
             f"--web.listen-address={self.url.removeprefix('http://')}", "--query.max-samples=500000000", "--query.timeout=10m",
             "--log.level=error"])
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{self.url}/-/ready").read()
                return
            except OSError:
                time.sleep(0.2)
        raise SystemExit("Prometheus does not get ready")

    def cpu(self):
        """Processor seconds so far."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def ask(self, expression, step, start):
        """Seconds, processor seconds, samples, series, and samples in memory at a time of one query; an instant one without a step."""
        form = {"query": expression, "stats": "all"}
        form |= {"start": start, "end": NOW // step * step, "step": step} if step else {"time": NOW}
        kind = "query_range" if step else "query"
        cpu, began = self.cpu(), time.monotonic()
        request = urllib.request.Request(f"{self.url}/api/v1/{kind}", urllib.parse.urlencode(form).encode())
        try:
            data = json.load(urllib.request.urlopen(request))["data"]
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{expression}: {error.read().decode()}") from error
        samples = data["stats"]["samples"]
        return time.monotonic() - began, self.cpu() - cpu, samples["totalQueryableSamples"], len(data["result"]), samples["peakSamples"]


def seconds(text):
    """Of an interval such as 1h."""
    return int(text[:-1]) * UNITS[text[-1]] if text else 15


def step_of(panel, columns):
    """Grafana's step for the range on the page."""
    width = PAGE * columns / 24
    wanted = max(RANGE / width, seconds(panel.get("interval")))
    rounded = next((step for limit, step in STEPS if wanted < limit), 7 * 24 * HOUR)
    return max(rounded, seconds(panel.get("interval")))


def filled(expression, chosen, source, step):
    """The expression as Grafana would send it."""
    expression = expression.replace("$__rate_interval", f"{max(4 * 60, step or 0)}s").replace("$__range", f"{RANGE}s")
    expression = expression.replace("${__to:date:seconds}", str(NOW))
    for name, value in {"source": source, "cost": COST, **chosen}.items():
        expression = expression.replace(f"${{{name}}}", value).replace(f"${name}", value)
    return re.sub(r"\$\{?[a-z_]\w*\}?", ".*", expression)


def panels(board):
    """Every panel as often as it repeats, with its width, and whether it is on the first screen."""
    for panel in board["panels"]:
        if not panel.get("targets"):
            continue
        columns, top = panel["gridPos"]["w"], panel["gridPos"]["y"] < FIRST_SCREEN
        repeated = panel.get("repeat")
        if repeated == "currency":
            for currency in CURRENCIES:
                yield panel, columns // min(panel["maxPerRow"], len(CURRENCIES)), {"currency": currency}, top
        else:
            yield panel, columns, {repeated: CHOSEN[repeated]} if repeated else {}, top


def measure(prometheus, folder, source):
    """What every panel took, the slowest first."""
    found = []
    for path in sorted(folder.glob("*.json")):
        board = json.loads(path.read_text(encoding="utf-8"))
        # A choice of one customer has no All.
        one = {v["name"]: CHOSEN["customer"] for v in board["templating"]["list"] if v["name"] == "customer" and not v["includeAll"]}
        for panel, columns, chosen, top in panels(board):
            took = {"board": path.stem, "panel": panel["title"], "top": top, "seconds": 0, "cpu": 0, "samples": 0, "series": 0, "peak": 0}
            for repeated, value in chosen.items():
                took["panel"] = took["panel"].replace(f"${repeated}", value)
            for target in panel["targets"]:
                step = 0 if target.get("instant") else step_of(panel, columns)
                expression = filled(target["expr"], {**one, **chosen}, source, step)
                start = (NOW - RANGE) // step * step if step else 0
                # The faster of two, unless it is long: the first may have to read the disk.
                runs = [prometheus.ask(expression, step, start)]
                if runs[0][0] < 5:
                    runs.append(prometheus.ask(expression, step, start))
                *sums, peak = min(runs)
                for name, value in zip(("seconds", "cpu", "samples", "series"), sums):
                    took[name] += value
                took["peak"] = max(took["peak"], peak)
            found.append(took)
            print(f"{took['cpu']:7.2f} s CPU {took['board']}: {took['panel']}", file=sys.stderr, flush=True)
    return sorted(found, key=lambda one: -one["seconds"])


def shown(found, name):
    """Prints the slowest, and the first screens."""
    print(f"\n{name}: the ten slowest panels")
    for one in found[:10]:
        print(f"{one['seconds']:7.2f} s {one['cpu']:7.2f} s CPU {one['samples'] / 1e6:8.2f} M samples {one['series']:6} series  "
              f"{one['board']}: {one['panel']}")
    print(f"{name}: first screens")
    for board in sorted({one["board"] for one in found}):
        top = [one for one in found if one["board"] == board and one["top"]]
        print(f"{sum(one['seconds'] for one in top):7.2f} s {sum(one['cpu'] for one in top):7.2f} s CPU {len(top):4} panels  {board}")


def main():
    """Measures once with raw series and, where the dashboards can choose, once with recorded ones."""
    data, folder = map(pathlib.Path, sys.argv[1:3])
    name = sys.argv[3] if len(sys.argv) > 3 else "now"
    sources = {"raw": "_", "recorded": ":"}
    if not any("${source}" in path.read_text(encoding="utf-8") for path in folder.glob("*.json")):
        sources = {"raw": "_"}
    prometheus = Prometheus(data)
    result = {}
    try:
        for source, value in sources.items():
            result[source] = measure(prometheus, folder, value)
            shown(result[source], f"{name}, {source}")
    finally:
        prometheus.process.terminate()
        prometheus.process.wait()
    (data.parent / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
