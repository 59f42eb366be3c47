"""Exporter health: ages, failures by reason, durations, rate limits, series, folding, credentials, the process."""

from . import promql as q
from . import shared
from .board import board
from .panels import BLUE, DAY, GREEN, GREY, ORANGE, RED, YELLOW, Column, Query, grid, history, hours, prop, said, stats, tile_steps

BY = "provider, account"
EXPIRY = "cloudspend_credential_expiry_timestamp_seconds"
# What has no known end is neither red nor green.
EXPIRY_STEPS = (GREY, (-1000 * DAY, RED), (3 * DAY, ORANGE), (14 * DAY, GREEN))
# Which targets are exporters is told by their build info, whatever their job is called.
EXPORTERS = "on (job, instance) last_over_time(cloudspend_build_info[1d])"


def _account(metric):
    return f"max by ({BY}) ({q.once(metric, q.ACCOUNT)})"


def _increase(metric, by):
    return f"sum by ({by}) (increase({metric}{{{q.ACCOUNT}}}[$__rate_interval]))"


def _quantile(share):
    times = _increase("cloudspend_api_request_duration_seconds_bucket", "provider, le")
    # Without requests there is no time.
    return f"histogram_quantile({share}, {times}) > 0"


def accounts_now():
    """One line for each account, with what it takes to see whether its numbers are fresh and whole, and why not."""
    success = q.once("cloudspend_poll_success", q.ACCOUNT)
    reasons = f"sum by ({BY}, reason) (increase(cloudspend_poll_failures_total{{{q.ACCOUNT}}}[6h]))"
    return grid(
        "Accounts now",
        "State and ages of each account, and how long its credential is valid. Reason: why most parts failed in the last 6 hours, of an account whose "
        "last poll failed. Last success: of a whole poll. Read: since the oldest part was read with success. Data: since the "
        "end of the newest day or hour in the data. Next poll: until the next one begins; due while it runs. Withheld: parts with money "
        "that do not report this month or the previous month. Skipped: parts that are listed and never had anything to report.",
        [
            Query(f"max by ({BY}) ({success})"),
            Query(f"time() - {_account('cloudspend_poll_last_success_timestamp_seconds')}"),
            Query(f"time() - {_account(shared.OLDEST)}"),
            Query(f"time() - {_account(shared.DATA)}"),
            Query(f"{_account('cloudspend_next_poll_timestamp_seconds')} - time()"),
            Query(_account("cloudspend_parts")),
            Query(_account("cloudspend_failing_parts")),
            Query(shared.withheld(BY)),
            Query(_account("cloudspend_skipped_parts")),
            Query(f"{_account(EXPIRY)} - time()"),
            Query(f"topk by ({BY}) (1, {reasons} > 0) and {q.SAME_ACCOUNT} (max by ({BY}) ({success}) == 0)"),
        ],
        [
            Column("account", "Account", at_least=130),
            Column("Value #A", "Poll", unit="none", width=65, steps=(RED, (1, GREEN)), mappings=said([(0, "failing", RED), (1, "ok", GREEN)])),
            Column("reason", "Reason", width=110),
            Column("Value #B", "Last success", span=True, width=105, steps=shared.AGE_STEPS),
            Column("Value #C", "Read", span=True, width=95, steps=shared.AGE_STEPS),
            Column("Value #D", "Data", span=True, width=95, steps=shared.DATA_AGE_STEPS),
            Column("Value #E", "Next poll", span=True, width=85, mappings=(
                {"type": "range", "options": {"from": None, "to": 0, "result": {"text": "due", "index": 0}}},)),
            Column("Value #F", "Parts", unit="locale", width=60),
            Column("Value #G", "Failing", unit="locale", width=65, steps=(GREEN, (1, RED))),
            Column("Value #H", "Withheld", unit="locale", width=75, steps=(GREEN, (1, YELLOW))),
            Column("Value #I", "Skipped", unit="locale", width=70),
            Column("Value #J", "Credential", span=True, width=110, steps=EXPIRY_STEPS),
        ],
        sort=[("Poll", False), ("Read", True)],
    )


def sizes_and_times():
    """One line for each account: how much it has, what is unusual about it, and how long it takes."""
    times = f"sum by ({BY}, le) (increase(cloudspend_api_request_duration_seconds_bucket{{{q.ACCOUNT}}}[6h]))"
    return grid(
        "Sizes and times",
        "Attempt: since the last poll began. Poll took: the last poll. 95 %: within which time 95 of 100 requests of the last 6 hours had their response head. "
        "Folded: label sets, and their share of the account's money, that are shown as other. No cost: rows that lack a second cost, such as list cost. "
        "Growth: unusual for 24 hours after a month more than doubled between two polls.",
        [
            Query(f"time() - {_account('cloudspend_poll_last_attempt_timestamp_seconds')}"),
            Query(_account("cloudspend_poll_duration_seconds")),
            Query(f"histogram_quantile(0.95, {times}) > 0"),
            Query(_account("cloudspend_poll_rows")),
            Query(_account("cloudspend_series")),
            Query(_account("cloudspend_folded_series")),
            Query(_account(shared.FOLDED)),
            Query(shared.rows_without_cost(BY)),
            Query(_account("cloudspend_unusual_growth")),
        ],
        [
            Column("account", "Account", at_least=130), Column("provider", "Provider", width=115),
            Column("Value #A", "Attempt", span=True, width=95),
            Column("Value #B", "Poll took", unit="s", decimals=1, width=85),
            Column("Value #C", "95 %", unit="s", decimals=2, width=85),
            Column("Value #D", "Rows", unit="locale", width=80),
            Column("Value #E", "Label sets", unit="locale", width=85),
            Column("Value #F", "Folded", unit="locale", width=70, steps=(GREEN, (1, YELLOW))),
            Column("Value #G", "In other", unit="percentunit", decimals=1, width=75, steps=shared.FOLDED_STEPS),
            Column("Value #H", "No cost", unit="locale", width=75, steps=(GREEN, (1, YELLOW))),
            Column("Value #I", "Growth", unit="none", width=80, steps=(GREY, (1, YELLOW)), mappings=said([(0, "–", GREY), (1, "unusual", YELLOW)])),
        ],
        sort=[("Account", False)],
    )


def build():
    """The dashboard."""
    success = q.once("cloudspend_poll_success", q.ACCOUNT)
    top = stats(
        "Accounts",
        "How many accounts there are, how many did not wholly succeed in their last poll, how many have never succeeded, and the age of "
        "the oldest numbers that are shown.",
        [
            Query(f"count({success})", "accounts"),
            Query(f"count({success} == 0) or vector(0)", "failing"),
            Query(f"count({success} unless {q.SAME_ACCOUNT} {q.once(shared.OLDEST, q.ACCOUNT)}) or vector(0)", "never read"),
            Query(f"max(time() - {q.once(shared.OLDEST, q.ACCOUNT)}) / 3600", "oldest read"),
        ],
        unit="none", steps=(GREEN, (1, RED)), no_value="no account", tiles=True,
    )
    top.override_by_name("accounts", [tile_steps(BLUE)])
    top.override_by_name("oldest read", hours(*shared.AGE_STEPS))
    instances = stats(
        "Exporters",
        "Instances that answer and that do not, and instances whose last loading of the configuration failed (they run on with the old one).",
        [
            Query(f"count((up == 1) and {EXPORTERS}) or vector(0)", "up"),
            Query(f"count((up == 0) and {EXPORTERS}) or vector(0)", "down"),
            Query("count(cloudspend_config_last_reload_successful == 0) or vector(0)", "bad config"),
        ],
        unit="none", steps=(GREEN, (1, RED)), no_value="unknown", tiles=True,
    ).override_by_name("up", [tile_steps(RED, (1, GREEN))])
    expiry = stats(
        "Next credential to expire",
        "Time until the first credential expires whose end is known; the account is named.",
        [Query(f"bottomk(1, {_account(EXPIRY)} - time())", "{{account}}")],
        unit="dtdhms", steps=EXPIRY_STEPS, no_value="no end is known", tiles=True,
    )
    folded = stats(
        "Folding",
        "Label sets that are folded into the value other because an account has more than max_series, and the largest share of an "
        "account's money in it. Sums stay right; detail is lost.",
        [
            Query(f"sum({q.once('cloudspend_folded_series', q.ACCOUNT)})", "label sets"),
            Query(f"max({q.once(shared.FOLDED, q.ACCOUNT)})", "of the money"),
        ],
        unit="none", steps=(GREEN, (1, YELLOW)), no_value="unknown", tiles=True,
    ).override_by_name("of the money", [
        prop("unit", "percentunit"), prop("decimals", 1), tile_steps(*shared.FOLDED_STEPS),
    ])
    lines = [
        (5, [(8, top), (6, instances), (5, expiry), (5, folded)]),
        (9, [(24, accounts_now())]),
        (8, [
            (8, history("Failures by reason", "Parts, and their discovery, that failed: in each interval, by account and reason.",
                        [Query(f"{_increase('cloudspend_poll_failures_total', 'account, reason')} > 0", "{{account}}: {{reason}}")],
                        unit="short", interval="5m", columns=True, stacked=True, no_value="no failures")),
            (8, history("Age of what is shown", "Time since the oldest part of each account was read with success.",
                        [Query(f"time() - {_account(shared.OLDEST)}", "{{account}}")], unit="s", interval="5m")),
            (8, history("How far the data reaches", "Time since the end of the newest day or hour in each account's data: the provider's own delay.",
                        [Query(f"time() - {_account(shared.DATA)}", "{{account}}")], unit="s", interval="5m")),
        ]),
        (8, [
            (6, history("Requests by status", "Requests to each provider's API by HTTP status, in each interval; none where no answer came. 429 is a rate limit.",
                        [Query(_increase("cloudspend_api_requests_total", "provider, code"), "{{provider}} {{code}}")],
                        unit="short", interval="5m", columns=True, stacked=True)),
            (6, history("Request times", "The time within which half, and 95 of 100, of each provider's requests had their response head, in each interval.",
                        [Query(_quantile(0.5), "{{provider}} half"), Query(_quantile(0.95), "{{provider}} 95 %")],
                        unit="s", interval="5m", no_value="no requests")),
            (6, history("Repeats and rate limits", "Requests that were sent again, by reason, in each interval.",
                        [Query(f"{_increase('cloudspend_api_retries_total', 'account, reason')} > 0", "{{account}}: {{reason}}")],
                        unit="short", interval="5m", columns=True, stacked=True, no_value="no repeats")),
            (6, history("Duration of polls", "How long the last poll of each account took.",
                        [Query(_account("cloudspend_poll_duration_seconds"), "{{account}}")], unit="s", interval="5m")),
        ]),
        (9, [(24, sizes_and_times())]),
        (8, [
            (8, history("Label sets", "Label sets that each account shows, and those folded into other.",
                        [Query(_account("cloudspend_series"), "{{account}}"),
                         Query(f"{_account('cloudspend_folded_series')} > 0", "{{account}} folded")], unit="short", interval="5m")),
            (8, history("Share in other", "The share of each account's money, or of its quantities where it has no money, that is folded into other.",
                        [Query(_account(shared.FOLDED), "{{account}}")], unit="percentunit", interval="5m", soft_max=0.01)),
            (8, history("Corrections of the closed month",
                        "How far the previous month moved since two days after its end, as a share of it.",
                        [Query(f"{q.total('account, currency', 'cloudspend_restated_cost_previous_month', q.ACCOUNT)} / on (account, currency) "
                               f"({q.total('account, currency', q.PREVIOUS_MONTH, q.ACCOUNT)} != 0)", "{{account}} {{currency}}")],
                        unit="percentunit", interval="12h", no_value="nothing was corrected")),
        ]),
        "The process",
        (8, [
            (8, grid("Versions", "The version of each exporter, and when it last loaded its configuration with success.",
                     [Query("max by (instance, version) (cloudspend_build_info)"),
                      Query("max by (instance) (cloudspend_config_last_reload_success_timestamp_seconds) * 1000")],
                     [Column("instance", "Instance", at_least=110), Column("version", "Version", width=75),
                      Column("Value #B", "Configuration of", unit="dateTimeAsIso", width=165)])),
            (6, history("Memory", "Resident memory of each exporter.",
                        [Query(f"process_resident_memory_bytes and {EXPORTERS}", "{{instance}}")], unit="bytes", interval="5m")),
            (5, history("CPU", "Processor cores that each exporter uses.",
                        [Query(f"rate(process_cpu_seconds_total[$__rate_interval]) and {EXPORTERS}", "{{instance}}")], unit="short", interval="5m")),
            (5, history("Scrape", "How long Prometheus took to scrape each exporter. A scrape asks no provider.",
                        [Query(f"scrape_duration_seconds and {EXPORTERS}", "{{instance}}")], unit="s", interval="5m")),
        ]),
    ]
    return board(
        "exporter-health", "Exporter health", "Whether the numbers on the other dashboards are fresh and whole, and why not.",
        ["provider", "account"], lines, time_from="now-24h", can_be_recorded=True,
    )
