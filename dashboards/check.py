#!/usr/bin/env python3
"""Checks the committed dashboards: check.py GENERATED_FOLDER.

They are what the generator makes; reading them with the SDK and writing them again loses nothing; they keep the rules of
grafana/dashboard-linter (dashboards/.lint says which not, and why) and some of our own; and the recording rules have the
formula of the dashboards. Prints every fault and exits 1 if there is one. PromQL itself is checked by the tests, which run
every query.
"""

import json
import pathlib
import re
import sys

import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

from boards import promql
from generate import BOARDS

HERE = pathlib.Path(__file__).parent
KNOWN_UNITS = {value for name, value in vars(units).items() if isinstance(value, str) and not name.startswith("_")}
# Over time a range that follows the panel's step; a fixed one where a query means the last hours.
COUNTERS = re.compile(r"\b(?:rate|increase|irate)\([^\[]*\[([^\]]*)\]")
# Families of which two replicas show the same; and what stands before one that counts one replica only: its sum within each
# replica, one of each pair of series, or a count of accounts or the names that there are, in which the number of series does not matter.
ADDED = re.compile(
    r"\bcloudspend(?:_|\$\{source\})(?:billed|effective|list|contracted|\$\{cost\}|forecast_cost|account_forecast|provider|license|consumed|stored|restated|budget_(?:spent|forecast))[\w${}]*"
)
ONCE = re.compile(
    r"(?:max by \([\w, ]+\) \(sum by \([\w, ]+, instance, pod\) \(|max without \(instance, pod\) \(|count(?: by \([\w, ]+\))? ?\(|group by \([\w, ]+\) \()"
    r'(?:(?:last|present)_over_time\()?(?:\{__name__=~"\S*(?: __name__=~")?)?$'
)


def lost(before, after, path="$"):
    """What is in the first and not, or otherwise, in the second."""
    if isinstance(before, dict):
        if not isinstance(after, dict):
            return [path]
        found = []
        for key, value in before.items():
            if value is None:
                continue
            if key not in after:
                found.append(f"{path}.{key}")
            else:
                found += lost(value, after[key], f"{path}.{key}")
        return found
    if isinstance(before, list):
        if not isinstance(after, list) or len(before) != len(after):
            return [path]
        return [gone for at, value in enumerate(before) for gone in lost(value, after[at], f"{path}[{at}]")]
    return [] if before == after else [path]


def variable_faults(board):
    """Faults of the variables."""
    listed = board["templating"]["list"]
    names = [variable["name"] for variable in listed]
    sources = [variable for variable in listed if variable["type"] == "datasource"]
    if len(sources) != 1 or sources[0]["name"] != "datasource" or sources[0]["query"] != "prometheus":
        yield "there is not one data source variable called datasource, of Prometheus"
    elif sources[0]["label"] != "Data source" or names[0] != "datasource":
        yield "the data source variable is not the first, or not labelled Data source"
    for variable in listed:
        name = variable["name"]
        if not variable.get("label") or not variable.get("description"):
            yield f"variable {name} has no label or description"
        if variable["type"] != "query":
            continue
        if variable["datasource"]["uid"] != "${datasource}":
            yield f"variable {name} asks another data source"
        if variable["refresh"] != 2:
            yield f"variable {name} is not read again when the time range changes"
        if variable["includeAll"] and variable["allValue"] != ".*":
            yield f"variable {name}: All misses series without this label"
        for used in re.findall(r"\$(\w+)", variable["query"]):
            if used not in names[: names.index(name)]:
                yield f"variable {name} uses {used}, which does not stand before it"


def _is_unit(unit):
    """Whether Grafana knows a unit; `time:` is followed by a format, `suffix:` by a text."""
    return unit in KNOWN_UNITS or str(unit).startswith(("time:", "suffix:"))


def panel_faults(panel, names):
    """Faults of one panel."""
    if not panel.get("title") or not panel.get("description"):
        yield "no title or description"
    elif len(panel["description"]) < 20:
        yield "the description says nothing"
    defaults = panel["fieldConfig"]["defaults"]
    if not _is_unit(defaults.get("unit")):
        yield f"no unit that Grafana knows: {defaults.get('unit')}"
    for override in panel["fieldConfig"]["overrides"]:
        for one in override["properties"]:
            if one["id"] == "unit" and not _is_unit(one["value"]):
                yield f"no unit that Grafana knows: {one['value']}"
    if not panel.get("targets"):
        yield "no query"
    if len({target["refId"] for target in panel["targets"]}) != len(panel["targets"]):
        yield "two queries of one name"
    for source in (panel, *panel["targets"]):
        if source["datasource"] != {"type": "prometheus", "uid": "${datasource}"}:
            yield "asks another data source than the chosen one"
    for target in panel["targets"]:
        expression = target["expr"]
        for window in COUNTERS.findall(expression):
            if window != "$__rate_interval" and not target.get("instant"):
                yield f"a counter over [{window}] instead of $__rate_interval: {expression}"
        for used in re.findall(r"\$(\w+)", expression):
            if used not in names and not used.startswith("__") and used != "1":
                yield f"uses ${used}, which is no variable here"
        for used in re.findall(r"\$\{(\w+)\}", expression):
            if used not in names:
                yield f"uses ${{{used}}}, which is no variable here"
        # Money and seats of two replicas must not be added.
        for found in ADDED.finditer(expression):
            if not ONCE.search(expression[: found.start()]):
                yield f"{found.group()} is added without taking one replica first: {expression}"
    link = [one["value"] for override in panel["fieldConfig"]["overrides"] for one in override["properties"] if one["id"] == "links"]
    for url in (entry["url"] for entries in link for entry in entries):
        target = re.match(r"/d/cloudspend-([\w-]+|\$\{__data\.fields\.board\})\?", url)
        if not target or target.group(1) not in {*BOARDS, "${__data.fields.board}"}:
            yield f"a link to no dashboard of ours: {url}"
        if "${datasource:queryparam}" not in url or "${__url_time_range}" not in url:
            yield f"a link that drops the data source or the time: {url}"


def board_faults(name, board):
    """Faults of one dashboard."""
    if board.get("editable") is not False:
        yield "it is editable"
    if board.get("uid") != f"cloudspend-{name}" or "id" not in board or board["id"] is not None:
        yield "uid is not the file's name, or id is not null"
    if len(board["uid"]) > 40:
        yield "Grafana takes no longer uid than 40"
    if not board.get("description") or board.get("tags") != ["cloudspend"]:
        yield "no description, or not the tag by which the others link to it"
    if not any(link["includeVars"] and link["keepTime"] and link["tags"] == ["cloudspend"] for link in board["links"]):
        yield "no link to the others that carries variables and time"
    yield from variable_faults(board)
    names = [variable["name"] for variable in board["templating"]["list"]]
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    titles = [panel["title"] for panel in panels]
    if len(set(titles)) != len(titles):
        yield "two panels of one title"
    ids = [panel["id"] for panel in board["panels"]]
    if len(set(ids)) != len(ids):
        yield "two panels of one id"
    taken = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        if at["x"] + at["w"] > 24:
            yield f"panel {panel['title']} is wider than the page"
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        if cells & taken:
            yield f"panel {panel['title']} covers another"
        taken |= cells
    for panel in panels:
        yield from (f"panel {panel['title']}: {fault}" for fault in panel_faults(panel, names))


def rule_faults():
    """The recording rules that the dashboards can use, and those of spend, have the dashboards' formula."""
    full, customer = "provider, account, customer, project, product, currency", "provider, account, customer, currency"
    wanted = {
        "cloudspend:billed_cost:spend1d": promql.spend(full, "", "1d"),
        "cloudspend:billed_cost:spend7d": promql.spend(full, "", "7d"),
        "cloudspend:billed_cost:customer_spend1d": promql.spend(customer, "", "1d"),
        "cloudspend:billed_cost:customer_spend7d": promql.spend(customer, "", "7d"),
    }
    for metric in promql.RECORDED:
        name = promql.recordable(metric).replace("${source}", ":")
        measured = "unit" if metric == promql.QUANTITY else "currency"
        wanted[name] = promql.total(f"provider, account, customer, product, {measured}", metric)
    for metric in promql.RECORDED_BY_PROJECT:
        wanted[promql.recorded_by_project(metric)] = promql.total("provider, account, customer, project, currency", metric)
    written = yaml.safe_load((HERE / "rules/recording.yml").read_text(encoding="utf-8"))
    found = {rule["record"]: rule["expr"] for group in written["groups"] for rule in group["rules"]}
    for name, formula in wanted.items():
        if "".join(found.get(name, "").split()) != "".join(formula.split()):
            yield f"rules/recording.yml: {name} is not the dashboards' formula"


def main():
    """Prints every fault."""
    generated = pathlib.Path(sys.argv[1])
    register_default_plugins()
    faults = list(rule_faults())
    committed = {path.stem for path in HERE.glob("*.json")}
    if committed != set(BOARDS):
        faults.append(f"the dashboards are {sorted(committed)}, not {sorted(BOARDS)}")
    for name in sorted(committed & set(BOARDS)):
        text = (HERE / f"{name}.json").read_text(encoding="utf-8")
        board = json.loads(text)
        if text != (generated / f"{name}.json").read_text(encoding="utf-8"):
            faults.append(f"{name}.json: not what the generator makes; run `make dashboards`")
        again = json.loads(JSONEncoder().encode(Dashboard.from_json(board)))
        faults += [f"{name}.json: the SDK does not know {path}" for path in lost(board, again)]
        faults += [f"{name}.json: {fault}" for fault in board_faults(name, board)]
    for fault in faults:
        print(fault, file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
