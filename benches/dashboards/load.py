#!/usr/bin/env python3
"""Makes a Prometheus data folder with 90 days of 10,000 label sets in 50 accounts, a sample an hour: load.py FOLDER.

The text goes through `promtool tsdb create-blocks-from openmetrics`, one block's time at a time, so that no file is larger than
3 GB. What the recording rules would have recorded is written with it: sums of the same numbers.
"""

import pathlib
import random
import subprocess
import sys
from datetime import datetime, timedelta, timezone

HOUR = 3600
# The newest sample, in the middle of a month; everything is asked at this time.
NOW = int(datetime(2026, 3, 20, 12, tzinfo=timezone.utc).timestamp())
HOURS = 90 * 24
# Prometheus compacts nothing that is this long already.
BLOCK = 486 * HOUR
TARGET = 'job="cloudspend",instance="a:10190"'
# Provider, number of accounts, currency, and whether it reports list cost and quantities.
PROVIDERS = [("otc", 20, "EUR", True), ("enube", 15, "BRL", False), ("activeplatform", 15, "USD", False)]
CUSTOMERS, PROJECTS, PRODUCTS = 10, 5, 4
LICENCE_ACCOUNTS, LICENCE_CUSTOMERS, LICENCES = 5, 40, 5


def month_start(at):
    """Midnight UTC of the first of a month."""
    day = datetime.fromtimestamp(at, timezone.utc)
    return int(datetime(day.year, day.month, 1, tzinfo=timezone.utc).timestamp())


def next_month(at):
    """Midnight UTC of the first of the month after."""
    return month_start(month_start(at) + 32 * 24 * HOUR)


def previous_month(at):
    """Midnight UTC of the first of the month before."""
    return month_start(month_start(at) - 1)


def days(start, end):
    """The number of days between two times."""
    return (end - start) / 86400


class Series:
    """One series: its name and labels, and its value as a factor times a shape over the hours."""

    def __init__(self, name, labels, factor, shape):
        text = ",".join(f'{label}="{value}"' for label, value in labels.items())
        self.prefix = f"{name}{{{text},{TARGET}}} " if labels else f"{name}{{{TARGET}}} "
        self.factor, self.shape = factor, shape


def money(name, labels, rate, shapes):
    """The series of money of one label set, at a price a day."""
    yield Series(f"{name[0]}billed_cost{name[1]}month_to_date", labels, rate, shapes["spent"])
    yield Series(f"{name[0]}billed_cost{name[1]}previous_month", labels, rate, shapes["previous"])
    yield Series(f"{name[0]}forecast_cost{name[1]}month_end", labels, rate, shapes["whole"])


def account_series(provider, account, currency, has_list, chance, shapes):
    """Everything about one account's money, and what is recorded of it."""
    of_account = {"provider": provider, "account": account}
    recorded, by_project, quantities = {}, {}, {}
    for label_set in range(CUSTOMERS * PROJECTS * PRODUCTS):
        customer, rest = divmod(label_set, PROJECTS * PRODUCTS)
        project, product = divmod(rest, PRODUCTS)
        customer, product = f"{account}-customer-{customer}", f"{provider}-product-{product}"
        project = f"{customer}-project-{project}"
        dimensions = {**of_account, "customer": customer, "project": project, "product": product}
        labels = {**dimensions, "currency": currency}
        rate = round(chance.lognormvariate(1, 1), 2)
        yield from money(("cloudspend_", "_"), labels, rate, shapes)
        recorded[customer, product] = recorded.get((customer, product), 0) + rate
        by_project[customer, project] = by_project.get((customer, project), 0) + rate
        if has_list:
            yield Series("cloudspend_list_cost_month_to_date", labels, rate * 1.2, shapes["spent"])
            yield Series("cloudspend_consumed_quantity_month_to_date", {**dimensions, "unit": "h"}, rate * 7, shapes["spent"])
            quantities[customer, product] = quantities.get((customer, product), 0) + rate * 7
    for (customer, product), rate in recorded.items():
        labels = {**of_account, "customer": customer, "product": product, "currency": currency}
        yield from money(("cloudspend:", ":"), labels, rate, shapes)
    for (customer, project), rate in by_project.items():
        labels = {**of_account, "customer": customer, "project": project, "currency": currency}
        yield from money(("cloudspend:", ":project_"), labels, rate, shapes)
    for (customer, product), quantity in quantities.items():
        labels = {**of_account, "customer": customer, "product": product, "unit": "h"}
        yield Series("cloudspend:consumed_quantity:month_to_date", labels, quantity, shapes["spent"])


def self_metrics(provider, account, shapes):
    """What an exporter says about an account."""
    labels = {"provider": provider, "account": account}
    for name, factor, shape in [
        ("poll_success", 1, "one"), ("oldest_part_success_timestamp_seconds", 1, "clock"), ("data_timestamp_seconds", 1, "clock"),
        ("poll_last_success_timestamp_seconds", 1, "clock"), ("billing_period_start_timestamp_seconds", 1, "start"),
        ("billing_period_end_timestamp_seconds", 1, "end"), ("folded_cost_ratio", 0, "one"), ("folded_series", 0, "one"),
        ("series", 200, "one"), ("parts", 10, "one"), ("failing_parts", 0, "one"), ("poll_duration_seconds", 4, "one"),
        ("poll_rows", 1000, "one"), ("skipped_parts", 0, "one"), ("unusual_growth", 0, "one"), ("next_poll_timestamp_seconds", 1, "clock"),
    ]:
        yield Series(f"cloudspend_{name}", labels, factor, shapes[shape])
    for window in ("month_to_date", "previous_month"):
        yield Series("cloudspend_withheld_parts", {**labels, "window": window}, 0, shapes["one"])


def everything(hours):
    """All series, with their shapes over some hours."""
    chance = random.Random(19)
    shapes = {
        "one": [1] * len(hours),
        "clock": [at - 600 for at in hours],
        "start": [month_start(at) for at in hours],
        "end": [next_month(at) for at in hours],
        "spent": [days(month_start(at), at) for at in hours],
        "previous": [days(previous_month(at), month_start(at)) for at in hours],
        # A forecast that moves a little from day to day.
        "whole": [days(month_start(at), next_month(at)) * (1 + 0.01 * (at // 86400 % 7)) for at in hours],
    }
    for provider, accounts, currency, has_list in PROVIDERS:
        for number in range(accounts):
            account = f"{provider}-{number}"
            yield from account_series(provider, account, currency, has_list, chance, shapes)
            yield from self_metrics(provider, account, shapes)
            of_account = {"provider": provider, "account": account}
            if has_list:
                yield Series("cloudspend_missing_cost_rows", {**of_account, "cost": "list"}, 0, shapes["one"])
            yield Series("cloudspend_restated_cost_previous_month", {**of_account, "currency": currency}, 7, shapes["one"])
            budget = {"budget": f"budget-{number}"}
            if provider == "otc":
                of_budget = {**budget, **of_account, "currency": currency}
                for name, factor, shape in [("spent", 400, "spent"), ("forecast", 400, "whole")]:
                    yield Series(f"cloudspend_budget_{name}", of_budget, factor, shapes[shape])
                matched = {**of_account, "customer": "", "project": "", "product": ""}
                yield Series("cloudspend_budget_match_info", {**budget, **matched}, 1, shapes["one"])
                yield Series("cloudspend_budget_limit", {**budget, "currency": currency}, 12000, shapes["one"])
                yield Series("cloudspend_budget_complete", {**budget, **of_account}, 1, shapes["one"])
                yield Series("cloudspend_budget_alert_threshold_ratio", {**budget, "severity": "warning"}, 0.8, shapes["one"])
    for number in range(LICENCE_ACCOUNTS):
        labels = {"provider": "cloudcockpit", "account": f"cloudcockpit-{number}"}
        yield from self_metrics("cloudcockpit", labels["account"], shapes)
        for seat in range(LICENCE_CUSTOMERS * LICENCES):
            of_licence = {**labels, "customer": f"customer-{number}-{seat // LICENCES}", "product": f"licence-{seat % LICENCES}"}
            for name, factor in [("seats", 20), ("assigned_seats", 15), ("available_seats", 5), ("suspended_seats", 0)]:
                yield Series(f"cloudspend_license_{name}", of_licence, factor, shapes["one"])
    for currency, rate in [("BRL", 0.16), ("USD", 0.92), ("EUR", 1)]:
        yield Series("cloudspend_exchange_rate", {"from_currency": currency, "to_currency": "EUR"}, rate, shapes["one"])
    yield Series("cloudspend_build_info", {"version": "0", "revision": "0", "rustversion": "0"}, 1, shapes["one"])


def write(hours, path):
    """The samples of some hours as OpenMetrics; gives how many."""
    ends = [f" {at}\n" for at in hours]
    written = 0
    with path.open("w", encoding="utf-8", buffering=1 << 20) as out:
        for series in everything(hours):
            prefix, factor = series.prefix, series.factor
            out.write("".join([f"{prefix}{factor * value:.2f}{end}" for value, end in zip(series.shape, ends)]))
            written += len(hours)
        out.write("# EOF\n")
    return written


def main():
    """Makes the folder, if it is not whole yet."""
    data = pathlib.Path(sys.argv[1])
    whole = data / "whole"
    if whole.exists():
        return
    data.mkdir(parents=True, exist_ok=True)
    text = data.parent / "block.om"
    start = NOW - (HOURS - 1) * HOUR
    total, at = 0, start
    while at <= NOW:
        # Up to the next border of a block, so that each text becomes one block.
        end = min((at // BLOCK + 1) * BLOCK, NOW + 1)
        began = datetime.now()
        total += write(range(at, end, HOUR), text)
        at += len(range(at, end, HOUR)) * HOUR
        print(f"written: {total:,} samples, {(datetime.now() - began) / timedelta(seconds=1):.0f} s", flush=True)
        command = ["promtool", "tsdb", "create-blocks-from", "--max-block-duration=486h", "openmetrics", str(text), str(data)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        text.unlink()
        print(f"loaded up to {datetime.fromtimestamp(at, timezone.utc):%F %H:%M}, {(datetime.now() - began) / timedelta(seconds=1):.0f} s", flush=True)
    whole.write_text(f"{total}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
