#!/usr/bin/env python3
"""Writes the dashboards as JSON: generate.py [FOLDER], by default the folder that it lies in."""

import json
import pathlib
import sys

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from boards import budgets, customer, health, licences, overview, provider

BOARDS = {
    "overview": overview,
    "customer": customer,
    "provider": provider,
    "licences": licences,
    "budgets": budgets,
    "exporter-health": health,
}


def as_json(board):
    """The JSON that Grafana reads, in the order in which the SDK writes it."""
    for link in board.links or []:
        # Beside the variables, not in the menu that is the SDK's default.
        link.placement = None
    plain = json.loads(JSONEncoder(sort_keys=False).encode(board))
    # An absent id would do, but tools that write dashboards back look for the key.
    return json.dumps({"id": None, **plain}, indent=1, ensure_ascii=False) + "\n"


def main():
    """Writes every dashboard."""
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent
    for name, module in BOARDS.items():
        (folder / f"{name}.json").write_text(as_json(module.build()), encoding="utf-8")


if __name__ == "__main__":
    main()
