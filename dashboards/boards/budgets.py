"""Budgets: what is left, what the forecast makes of it, and whether all of it is counted."""

from . import promql as q
from . import shared
from .board import board
from .panels import GREEN, RED, Column, Query, bars, by_currency, grid, history, prop, said

SELECT = 'budget=~"$budget", currency=~"$currency"'


def _of(metric, select):
    return f"sum by (budget, currency) ({q.once(metric, select)})"


def _limit(select):
    return f"max by (budget, currency) (cloudspend_budget_limit{{{select}}})" if select else (
        "max by (budget, currency) (cloudspend_budget_limit)")


def _used(metric, select):
    return f"{_of(metric, select)} / on (budget, currency) {_limit(select)}"


SPENT_RATIO = _used("cloudspend_budget_spent", "")
FORECAST_RATIO = _used("cloudspend_budget_forecast", "")
INCOMPLETE = f"(min by (budget) ({q.once('cloudspend_budget_complete')}) == 0)"
SPENT = _of("cloudspend_budget_spent", SELECT)
FORECAST = _of("cloudspend_budget_forecast", SELECT)
LIMIT = _limit(SELECT)


def _of_month(metric):
    """Something about the billing month, by budget: of the account in it whose month ends last."""
    spent = f"sum by (budget, provider, account) ({q.once('cloudspend_budget_spent', SELECT)})"
    return f"max by (budget) ({spent} * 0 + {q.SAME_ACCOUNT} group_left () max by (provider, account) ({q.once(metric)}))"


LEFT_SECONDS = f"({_of_month(q.PERIOD_END)} - time())"
MONTH_SECONDS = f"({_of_month(q.PERIOD_END)} - {_of_month(q.PERIOD_START)})"


def table():
    pace = f"(({FORECAST} - on (budget, currency) {SPENT}) / on (budget) group_left () {LEFT_SECONDS})"
    return grid(
        "Budgets of this month",
        "Limit, spent, left and forecast of each budget. Full in: when the limit is reached at the pace that the forecast "
        "expects for the rest of the month; empty where that is not this month. Complete: no when something that the budget may match "
        "is missing, stale, withdrawn, or has no exchange rate; the true number is then higher.",
        [
            Query(LIMIT),
            Query(SPENT),
            Query(f"{SPENT} / on (budget, currency) {LIMIT}"),
            Query(f"{LIMIT} - on (budget, currency) {SPENT}"),
            Query(FORECAST),
            Query(f"{FORECAST} / on (budget, currency) {LIMIT}"),
            Query(f"((({LIMIT} - on (budget, currency) {SPENT}) > 0) / on (budget, currency) ({pace} > 0)) "
                  f"< on (budget) group_left () {LEFT_SECONDS}"),
            Query(f"{LIMIT} * 0 + on (budget) group_left () min by (budget) ({q.once('cloudspend_budget_complete')})"),
        ],
        [
            Column("budget", "Budget", width=140),
            Column("currency", "Currency", width=85),
            Column("Value #A", "Limit", unit="locale", decimals=0),
            Column("Value #B", "Spent", unit="locale", decimals=0),
            Column("Value #C", "Spent %", unit="percentunit", decimals=0, steps=shared.USED_STEPS),
            Column("Value #D", "Left", unit="locale", decimals=0, steps=(RED, (0, GREEN))),
            Column("Value #E", "Forecast", unit="locale", decimals=0),
            Column("Value #F", "Forecast %", unit="percentunit", decimals=0, width=110, steps=shared.USED_STEPS),
            Column("Value #G", "Full in", unit="dtdurations", decimals=1, width=125, steps=("orange",)),
            Column("Value #H", "Complete", unit="none", width=90, steps=(RED, (1, GREEN)),
                   mappings=said([(0, "no", RED), (1, "yes", GREEN)])),
        ],
        sort=[("Forecast %", True)],
    )


def build():
    """The dashboard."""
    even = f"{LIMIT} * on (budget) group_left () ({LEFT_SECONDS} / on (budget) {MONTH_SECONDS})"
    dashed = prop("custom.lineStyle", {"fill": "dash", "dash": [6, 6]})
    burn_down = by_currency(history(
        "Burn-down of $budget",
        "What is left of the limit. Below the dashed line more is spent than an even pace allows; below 0 the budget is "
        "broken. It starts anew when the billing month turns.",
        [
            Query(f"{LIMIT} - on (budget, currency) {SPENT}", "left {{currency}}"),
            Query(even, "even pace {{currency}}"),
        ],
    ))
    burn_down.override_by_regexp("/^even pace/", [dashed, prop("color", {"mode": "fixed", "fixedColor": "text"})])
    burn_down.override_by_regexp("/^left/", [prop("custom.fillOpacity", 15), prop("color", {"mode": "fixed", "fixedColor": "blue"})])
    against = by_currency(history(
        "Forecast against limit of $budget",
        "Spent so far, the forecast of the whole month as it stood then, and the limit with the thresholds of its alerts.",
        [
            Query(SPENT, "spent {{currency}}"),
            Query(FORECAST, "forecast {{currency}}"),
            Query(LIMIT, "limit {{currency}}"),
            Query(
                "max by (budget, severity) (cloudspend_budget_alert_threshold_ratio{budget=~\"$budget\"}) "
                f"* on (budget) group_left (currency) {LIMIT}", "alerts as {{severity}} {{currency}}"),
        ],
    ))
    against.override_by_regexp("/^limit/", [prop("color", {"mode": "fixed", "fixedColor": "red"})])
    against.override_by_regexp("/^alerts as /", [dashed, prop("color", {"mode": "fixed", "fixedColor": "orange"}), prop("custom.lineWidth", 1)])
    against.override_by_regexp("/^forecast/", [dashed, prop("color", {"mode": "fixed", "fixedColor": "purple"})])
    against.override_by_regexp("/^spent/", [prop("custom.fillOpacity", 15), prop("color", {"mode": "fixed", "fixedColor": "blue"})])
    lines = [
        (8, [
            (9, bars(
                "Used",
                "What is spent of each limit, and what the forecast makes of it. A name with ! is of a budget that misses something.",
                [
                    Query(f"{_used('cloudspend_budget_spent', SELECT)} unless on (budget) {INCOMPLETE}", "{{budget}} spent"),
                    Query(f"{_used('cloudspend_budget_spent', SELECT)} and on (budget) {INCOMPLETE}", "! {{budget}} spent"),
                    Query(_used("cloudspend_budget_forecast", SELECT), "{{budget}} forecast"),
                ],
                unit="percentunit", steps=shared.USED_STEPS, maximum=1.2, no_value="no budgets configured",
            )),
            (15, table()),
        ]),
        (9, [(24, burn_down.repeat("budget").repeat_direction("h").max_per_row(2))]),
        (9, [(24, against.repeat("budget").repeat_direction("h").max_per_row(2))]),
        "Who spends it, and what is missing",
        (8, [
            (15, grid(
                "By account",
                "What each account spends of each budget, and whether all that the budget may match is counted. Failing parts and "
                "missing exchange rates make it incomplete.",
                [
                    Query(f"sum by (budget, currency, provider, account) ({q.once('cloudspend_budget_spent', SELECT)})"),
                    Query(f"sum by (budget, currency, provider, account) ({q.once('cloudspend_budget_forecast', SELECT)})"),
                    Query(f"sum by (budget, currency, provider, account) ({q.once('cloudspend_budget_spent', SELECT)}) * 0 "
                          f"+ on (budget, provider, account) group_left () "
                          f"max by (budget, provider, account) ({q.once('cloudspend_budget_complete')})"),
                ],
                [
                    Column("budget", "Budget"), Column("account", "Account"), Column("provider", "Provider"),
                    Column("currency", "Currency", width=90),
                    Column("Value #A", "Spent", unit="locale", decimals=0),
                    Column("Value #B", "Forecast", unit="locale", decimals=0),
                    Column("Value #C", "Complete", unit="none", width=90, steps=(RED, (1, GREEN)),
                           mappings=said([(0, "no", RED), (1, "yes", GREEN)])),
                ],
                sort=[("Budget", False), ("Spent", True)],
            )),
            (9, shared.trust('currency=~"$currency"').title("Can I trust it? (all accounts)")),
        ]),
    ]
    return board(
        "budgets", "Budgets", "What is left of each budget, at what pace it goes, and what the month's end will bring.",
        ["provider", "account", "currency", "budget"], lines, time_from="now/M",
    )
