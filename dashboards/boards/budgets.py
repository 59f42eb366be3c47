"""Budgets: what is left, what the forecast makes of it, and whether all of it is counted."""

from . import promql as q
from . import shared
from .board import board
from .panels import DAY, GREEN, GREY, RED, Column, Query, by_currency, grid, history, money_column, prop, said

NAMES = ["provider", "account", "customer", "currency", "budget"]
SELECT = 'budget=~"$budget", currency=~"$currency"'
BY = "budget, currency"
SPENT_FAMILY, FORECAST_FAMILY = "cloudspend_budget_spent", "cloudspend_budget_forecast"


def of_chosen(ratio, names):
    """What is by budget, of those that may match what is chosen: an account that is, and no other customer, project or product by name.

    A budget whose info says nothing stays: it matches several values by an expression, or its exporter is older than that info.
    """
    matched = ", ".join(f'{name}=~"${name}|"' for name in ("provider", "account", "customer", "project", "product") if name in names)
    named = f"(cloudspend_budget_match_info unless cloudspend_budget_match_info{{{matched}}})"
    shown = f"(cloudspend_budget_complete unless on (budget) cloudspend_budget_complete{{{q.ACCOUNT}}})"
    return f"({ratio} unless on (budget) {named} unless on (budget) {shown})"


# Of budgets that match one customer by name: the one that is chosen.
NAMES_CUSTOMER = 'and on (budget) cloudspend_budget_match_info{customer="$customer"}'


def _limit(select):
    return f"max by ({BY}) ({q.selector('cloudspend_budget_limit', select)})"


def _forecast(select):
    """From the third day of the month on; the part of an account whose month is younger is not in it."""
    return q.added(BY, q.settled(q.by_account(BY, FORECAST_FAMILY, select)))


def _forecast_of_whole(select):
    """Only where it is the forecast of every account in the budget: a part of it would look like a good forecast."""
    young = f"({q.by_account('budget', SPENT_FAMILY, select)} and {q.SAME_ACCOUNT} {q.early()})"
    return f"({_forecast(select)} unless on (budget) {young})"


LIMIT_OF_ALL = f"sum by (currency) ({_limit('')})"
SPENT_RATIO = f"{q.total(BY, SPENT_FAMILY)} / on ({BY}) {_limit('')}"
FORECAST_RATIO = f"{_forecast_of_whole('')} / on ({BY}) {_limit('')}"
INCOMPLETE = f"(min by (budget) ({q.once('cloudspend_budget_complete')}) == 0)"
SPENT = q.total(BY, SPENT_FAMILY, SELECT)
FORECAST = _forecast_of_whole(SELECT)
LIMIT = _limit(SELECT)


def _of_month(metric):
    """Something about the billing month, by budget: of the account in it whose month ends last."""
    spent = q.by_account("budget", SPENT_FAMILY, SELECT)
    return f"max by (budget) ({spent} * 0 + {q.SAME_ACCOUNT} group_left () max by (provider, account) ({metric}))"


LEFT_DAYS = f"(({_of_month(q.PERIOD_END)} - time()) / {DAY})"
MONTH_DAYS = f"(({_of_month(q.PERIOD_END)} - {_of_month(q.PERIOD_START)}) / {DAY})"
LEFT = f"({LIMIT} - on ({BY}) {SPENT})"
PER_DAY_LEFT = f"({LEFT} / on (budget) group_left () {LEFT_DAYS})"


def _per_day_now():
    """What the last 24 hours added; on the first day of a month all that is spent. Accounts without values a day ago are left out: their whole month would look like a day."""
    now = q.by_account(BY, SPENT_FAMILY, SELECT)
    day_ago = q.by_account(BY, SPENT_FAMILY, SELECT, "1d")
    age = q.age_of_month()
    return q.added(BY, f"({now} - (({day_ago} and {q.SAME_ACCOUNT} ({age} >= {DAY})) or ({now} * 0 and {q.SAME_ACCOUNT} ({age} < {DAY}))))")


def table():
    """One line for each budget."""
    pace = f"(({FORECAST} - on ({BY}) {SPENT}) / on (budget) group_left () {LEFT_DAYS})"
    full_in = f"((({LEFT} > 0) / on ({BY}) ({pace} > 0)) < on (budget) group_left () {LEFT_DAYS})"
    return grid(
        "Budgets of this month",
        "Limit, spent, left and forecast of each budget. Left a day: what may be spent on each day that remains. 24 h: what the last 24 hours added. Full on: when "
        "the limit is reached at the pace that the forecast expects for the rest of the month; empty where that is not this month. Forecast: from the "
        "third day of the month on. Complete: no when something that the budget may match "
        "is missing, stale, withdrawn, or has no exchange rate; the true number is then higher. Budgets of which another customer is the only one, by name, are "
        "left out where a customer is chosen.",
        [Query(of_chosen(expression, NAMES)) for expression in (
            LIMIT,
            SPENT,
            f"{SPENT} / on ({BY}) {LIMIT}",
            LEFT,
            FORECAST,
            f"{FORECAST} / on ({BY}) {LIMIT}",
            PER_DAY_LEFT,
            _per_day_now(),
            f"(time() + {full_in} * {DAY}) * 1000",
            f"{LIMIT} * 0 + on (budget) group_left () min by (budget) ({q.once('cloudspend_budget_complete')})",
        )],
        [
            Column("budget", "Budget", at_least=140),
            Column("currency", "Currency", width=75),
            Column("Value #C", "Spent %", unit="percentunit", decimals=0, width=120, steps=shared.USED_STEPS, cell="gauge", minimum=0, maximum=1.5),
            money_column("Value #B", "Spent", width=75),
            money_column("Value #A", "Limit", width=75),
            money_column("Value #D", "Left", width=75, steps=(RED, (0, GREEN))),
            money_column("Value #E", "Forecast", width=80),
            Column("Value #F", "Forecast %", unit="percentunit", decimals=0, width=90, steps=shared.USED_STEPS),
            money_column("Value #G", "Left a day", width=85, steps=(RED, (0, GREY))),
            money_column("Value #H", "24 h", width=70),
            Column("Value #I", "Full on", unit="time:YYYY-MM-DD", width=95, steps=("orange",)),
            Column("Value #J", "Complete", unit="none", width=80, steps=(RED, (1, GREEN)),
                   mappings=said([(0, "no", RED), (1, "yes", GREEN)])),
        ],
        sort=[("Spent %", True)],
        no_value="–",
    )


def _burn_down():
    even = f"{LIMIT} * on (budget) group_left () ({LEFT_DAYS} / on (budget) {MONTH_DAYS})"
    panel = by_currency(history(
        "Burn-down of $budget",
        "What is left of the limit. Below the dashed line more is spent than an even pace allows; below 0 the budget is "
        "broken. It starts anew when the billing month turns.",
        [
            Query(LEFT, "left {{currency}}"),
            Query(even, "even pace {{currency}}"),
        ],
    ))
    dashed = prop("custom.lineStyle", {"fill": "dash", "dash": [6, 6]})
    panel.override_by_regexp("/^even pace/", [dashed, prop("color", {"mode": "fixed", "fixedColor": "text"})])
    panel.override_by_regexp("/^left/", [prop("custom.fillOpacity", 15), prop("color", {"mode": "fixed", "fixedColor": "blue"})])
    return panel.repeat("budget").repeat_direction("h").max_per_row(2)


def _bound(side):
    """A bound of the forecast: of accounts in the budget's currency that have bounds and count whole, as their forecasts say, and the forecast of others."""
    account = "provider, account, currency"
    of_budget = _of_budget_and_account(f"{FORECAST_FAMILY}{{{SELECT}}} @ end()")
    whole = f"(({of_budget} / on ({account}) group_left () {q.by_account_at_end('currency', q.FORECAST, q.ACCOUNT)}) > 0.999999 < 1.000001)"
    bounds = q.by_account("currency", f"cloudspend_account_forecast_cost_month_end_{side}", q.ACCOUNT)
    bounded = f"({whole} * 0 + on ({account}) group_left () {bounds})"
    forecast = _of_budget_and_account(q.selector(FORECAST_FAMILY, SELECT))
    young = f"({q.by_account('budget', SPENT_FAMILY, SELECT)} and {q.SAME_ACCOUNT} {q.early()})"
    return f"(sum by ({BY}) (({bounded} or {forecast})) and on (budget) {bounded} unless on (budget) {young})"


def _of_budget_and_account(sample):
    by = "budget, provider, account, currency"
    return f"max by ({by}) (sum by ({by}, instance, pod) ({sample}))"


def _against_limit():
    panel = by_currency(history(
        "Forecast against limit of $budget",
        "Spent so far, the forecast of the whole month as it stood then, from the third day on, and the limit with the thresholds of its alerts. Shaded: the "
        "bounds of the forecast, where accounts in the budget's currency that have some count whole.",
        [
            Query(SPENT, "spent {{currency}}"),
            Query(FORECAST, "forecast {{currency}}"),
            Query(LIMIT, "limit {{currency}}"),
            Query(
                "max by (budget, severity) (cloudspend_budget_alert_threshold_ratio{budget=~\"$budget\"}) "
                f"* on (budget) group_left (currency) {LIMIT}", "alerts as {{severity}} {{currency}}"),
            Query(_bound("lower"), "lower {{currency}}"),
            Query(_bound("upper"), "upper {{currency}}"),
        ],
        interval="3h",
    ))
    shared.as_cone(panel)
    dashed = prop("custom.lineStyle", {"fill": "dash", "dash": [6, 6]})
    panel.override_by_regexp("/^limit/", [prop("color", {"mode": "fixed", "fixedColor": "red"})])
    panel.override_by_regexp("/^alerts as /", [dashed, prop("color", {"mode": "fixed", "fixedColor": "orange"}), prop("custom.lineWidth", 1)])
    panel.override_by_regexp("/^forecast/", [dashed, prop("color", {"mode": "fixed", "fixedColor": "purple"})])
    panel.override_by_regexp("/^spent/", [prop("custom.fillOpacity", 15), prop("color", {"mode": "fixed", "fixedColor": "blue"})])
    return panel.repeat("budget").repeat_direction("h").max_per_row(2)


def by_account():
    """Who spends each budget."""
    by = "budget, currency, provider, account"
    return grid(
        "By account",
        "What each account spends of each budget, and whether all that the budget may match is counted. Failing parts and "
        "missing exchange rates make it incomplete.",
        [Query(of_chosen(expression, NAMES)) for expression in (
            q.total(by, SPENT_FAMILY, SELECT),
            q.settled(q.total(by, FORECAST_FAMILY, SELECT)),
            f"{q.total(by, SPENT_FAMILY, SELECT)} * 0 + on (budget, provider, account) group_left () "
            f"max by (budget, provider, account) ({q.once('cloudspend_budget_complete')})",
        )],
        [
            Column("budget", "Budget", at_least=180), Column("account", "Account"), Column("provider", "Provider", width=115),
            Column("currency", "Currency", width=75),
            money_column("Value #A", "Spent"),
            money_column("Value #B", "Forecast"),
            Column("Value #C", "Complete", unit="none", width=85, steps=(RED, (1, GREEN)),
                   mappings=said([(0, "no", RED), (1, "yes", GREEN)])),
        ],
        sort=[("Budget", False), ("Spent", True)],
    )


def build():
    """The dashboard."""
    money = f'{q.ACCOUNT}, currency=~"$currency"'
    lines = [
        (9, [(24, table())]),
        (6, [(14, shared.trust(money, q.ACCOUNT)), (10, shared.missing(money))]),
        (9, [(24, _burn_down())]),
        (9, [(24, _against_limit())]),
        "Who spends it, and what is missing",
        (8, [(24, by_account())]),
    ]
    return board(
        "budgets", "Budgets", "What is left of each budget, at what pace it goes, and what the month's end will bring.",
        NAMES, lines, time_from="now/M", can_be_recorded=True,
    )
