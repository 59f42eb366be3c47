"""PromQL that all dashboards share: one HA pair counted once, month turns, currencies kept apart.

Two replicas of an exporter show the same series under two values of instance and pod. Each replica's series are added first,
by provider and account and what is asked for, and then one of the two sums is taken with `max`; shards, which show different
accounts, pass it unchanged. To take one of each pair of series before adding costs four times as much with 10,000 label sets.
"""

import re

MTD = "cloudspend_billed_cost_month_to_date"
PREVIOUS_MONTH = "cloudspend_billed_cost_previous_month"
# The same in the cost that the variable Cost chooses; see `_of_cost`.
COST_MTD = "cloudspend_${cost}_cost_month_to_date"
COST_PREVIOUS_MONTH = "cloudspend_${cost}_cost_previous_month"
_BILLED = {COST_MTD: MTD, COST_PREVIOUS_MONTH: PREVIOUS_MONTH}
BILLED_MONTHS, CHOSEN_MONTHS = (MTD, PREVIOUS_MONTH), (COST_MTD, COST_PREVIOUS_MONTH)
FORECAST = "cloudspend_forecast_cost_month_end"
ESTIMATE = "cloudspend_provider_estimate_cost_month_end"
QUANTITY = "cloudspend_consumed_quantity_month_to_date"
SEATS_BOUGHT = "cloudspend_license_seats"
PERIOD_START = "cloudspend_billing_period_start_timestamp_seconds"
SERIES = "cloudspend_series"
WITHHELD_NOW = 'cloudspend_withheld_parts{window="month_to_date"}'
PERIOD_END = "cloudspend_billing_period_end_timestamp_seconds"
# What the recording rules have, too, under the same names with colons (rules/recording.yml), without project and replica; those of money also by
# project and without product.
RECORDED = (MTD, PREVIOUS_MONTH, FORECAST, QUANTITY)
RECORDED_BY_PROJECT = (MTD, PREVIOUS_MONTH, FORECAST)
_RECORDED_PARTS = re.compile(r"(cloudspend)_(billed_cost|forecast_cost|consumed_quantity)_(\w+)")

ACCOUNT = 'provider=~"$provider", account=~"$account"'
SEATS = f'{ACCOUNT}, customer=~"$customer", project=~"$project", product=~"$product"'
MONEY = f'{SEATS}, currency=~"$currency"'
# One customer, who need not be chosen among several.
ONE_CUSTOMER = f'{ACCOUNT}, customer="$customer", project=~"$project", product=~"$product"'
ONE_CUSTOMERS_MONEY = f'{ONE_CUSTOMER}, currency=~"$currency"'

SAME_ACCOUNT = "on (provider, account)"
# A run rate of one or two days says little; the exporter's forecast is meant to be read from the third day on.
SETTLED = 3 * 86400

# Grafana's end of the time range in Unix seconds, which `@ end()` is not: the last step of a day is today's midnight.
TO = "${__to:date:seconds}"


def reports_cost(cost):
    """Accounts that report a cost beside billed cost, whether rows lack it or not.

    What they report at the end of the time range counts for all of it, so that no difference is made of two costs; a day back, so that an exporter that is
    down changes nothing. For billed it is empty.
    """
    return f"max by (provider, account) (last_over_time({rows_without(cost)}[1d] @ end()))"


def rows_without(cost):
    """The rows of an account that lack a cost, a series that is there where the account reports that cost."""
    return f'cloudspend_missing_cost_rows{{cost="{cost}"}}'


def recordable(metric):
    """The name of a family as the variable Source has it: the exporter's, or that of the recording rules."""
    _, measure, window = _RECORDED_PARTS.match(metric).groups()
    return f"cloudspend${{source}}{measure}${{source}}{window}"


def recorded_by_project(metric):
    """The name of the record of a family by project."""
    _, measure, window = _RECORDED_PARTS.match(metric).groups()
    return f"cloudspend:{measure}:project_{window}"


def recordable_by_project(expression):
    """An expression whose families the variable Source chooses by project: of the two names that each selector allows, the variable leaves one."""
    for metric in RECORDED_BY_PROJECT:
        _, measure, window = _RECORDED_PARTS.match(metric).groups()
        names = f'{metric}|{recorded_by_project(metric)}", __name__=~"cloudspend${{source}}{measure}${{source}}(?:project_)?{window}'
        expression = re.sub(rf"\b{metric}\{{", lambda _, names=names: f'{{__name__=~"{names}", ', expression)
    return expression


def selector(metric, select=""):
    """A metric with its matchers."""
    return f"{metric}{{{select}}}" if select else metric


def once(metric, select="", offset=""):
    """One sample of each series, whatever the number of replicas: for the few series that an account has one of.

    In the past the last sample of an hour is taken: history that was backfilled has one sample an hour, which a plain
    selector finds only for five minutes.
    """
    return f"max without (instance, pod) ({_sample(metric, select, offset)})"


def _sampled(plain, offset, which="last"):
    return f"{which}_over_time({plain}[1h] offset {offset})" if offset else plain


def _sample(metric, select, offset):
    return _sampled(selector(metric, select), offset)


def _keys(by):
    """The labels to add by within a replica: those that are asked for, and those that say whose replicas they are."""
    asked = [label.strip() for label in by.split(",") if label.strip()]
    return ", ".join(["provider", "account", *(label for label in asked if label not in ("provider", "account"))])


def _of_replicas(by, sample):
    keys = _keys(by)
    return f"max by ({keys}) (sum by ({keys}, instance, pod) ({sample}))"


def _of_cost(metric, shown):
    """What `shown` makes of a family; where the variable Cost chooses the cost, that cost of accounts that report it, and billed cost of the others.

    For billed the variable has a value that names no family, so that nothing is added up twice.
    """
    if metric not in _BILLED:
        return shown(metric)
    return f"(({shown(_BILLED[metric])} unless {SAME_ACCOUNT} {reports_cost('$cost')}) or {shown(metric)})"


def by_account(by, metric, select="", offset=""):
    """The sum by some labels within each account, whatever the number of replicas."""
    return _of_cost(metric, lambda one: _of_replicas(by, _sample(one, select, offset)))


def by_account_at_end(by, metric, select):
    """The same at the end of the time range, at every step of a graph."""
    return _of_cost(metric, lambda one: _of_replicas(by, f"{selector(one, select)} @ end()"))


def of_billed(by, expression, select):
    """A forecast, or what is made of one, where all of its money is billed cost: another cost has no forecast."""
    others = f"count by ({by}) ({selector(COST_MTD, select)})" if by else f"count({selector(COST_MTD, select)})"
    return f"({expression} unless on ({by}) {others})"


def added(by, expression):
    """What is by account and some labels, added to these labels."""
    asked = {label.strip() for label in by.split(",")}
    if asked >= {"provider", "account"}:
        return expression
    return f"sum by ({by}) ({expression})" if by else f"sum({expression})"


def total(by, metric, select="", offset=""):
    """The sum by some labels."""
    return added(by, by_account(by, metric, select, offset))


def _hours(window):
    return int(window[:-1]) * {"h": 1, "d": 24}[window[-1]]


def _offset(hours):
    if hours == 0:
        return ""
    return f"{hours // 24}d" if hours % 24 == 0 else f"{hours}h"


def _spent(by, months, new, old, unsure=""):
    """What was spent between two times, of which `new` and `old` give a family by some labels and by account; `months` are the families of month to
    date and of the previous month.

    Month to date is a saw tooth: at the turn of a month it falls to 0. What the finished month got after the old time is its end
    value, which is then the previous month, less what it had. Accounts without label sets at one end of the window are left out: what they
    show at the other end was not spent in between. This goes by the account and not by the selected part of it, so that a customer with nothing in the new
    month yet, or with nothing before, is included. `unsure` excludes further accounts.
    """
    shown, before = (_of_cost(months[0], lambda one, at=at: at(by, one)) for at in (new, old))
    finished = _of_cost(months[1], lambda one: new(by, one))
    start, label_sets = ([at("", family) for at in (new, old)] for family in (PERIOD_START, SERIES))
    # What was backfilled has no number of label sets.
    there = f"({start[0]} >= {start[1]}) {' '.join(f'unless ({one} == 0)' for one in label_sets)}"
    there += unsure
    if months == CHOSEN_MONTHS:
        # A cost that the account began to report in between: all of its month would look like this window.
        reported = " and ".join(at("", rows_without("$cost")) for at in (new, old))
        there += f" unless ({reports_cost('$cost')} unless ({reported}))"
    return (
        f'sum by ({by}) ((label_replace({shown}, "part", "new", "", "")'
        f' or label_replace({finished} and {SAME_ACCOUNT} ({start[0]} > {start[1]}), "part", "finished", "", "")'
        f' or label_replace(0 - {before}, "part", "old", "", "")) and {SAME_ACCOUNT} ({there}))'
    )


def _at(select, sampled):
    """What gives a family as sampled at some time: one of an account's own by account, or sums by some labels."""
    def shown(by, metric):
        if metric in (PERIOD_START, SERIES, rows_without("$cost")):
            # Of the number of label sets the largest within the time that is looked at: its last money is taken, too, where the account was withdrawn since.
            which = "max" if metric == SERIES else "last"
            return f"max by (provider, account) ({sampled(metric, which)})"
        return _of_replicas(by, sampled(selector(metric, select), "last"))
    return shown


def spend(by, select, window, ago="0h", months=BILLED_MONTHS):
    """What was spent in a window (`1d`, `7d`, at most a month) that ended some time `ago`."""
    ends = (_hours(ago), _hours(ago) + _hours(window))
    new, old = (_at(select, lambda plain, which, at=_offset(hours): _sampled(plain, at, which)) for hours in ends)
    return _spent(by, months, new, old, "".join(_stale(hours) for hours in ends if hours))


def _stale(hours):
    """Leaves out accounts that did not report a new month yet so many hours ago, in the hour after its start: the last sample of that hour is of the old one."""
    started, withheld = (
        f"max by (provider, account) ({which}_over_time({plain}[1h] offset {_offset(hours)}))" for which, plain in (("last", PERIOD_START), ("max", WITHHELD_NOW))
    )
    return f" unless (({started} > time() - {(hours + 1) * 3600}) and ({withheld} > 0))"


def spend_of_day(by, select):
    """What a day cost, at the day's start: what month to date gained in the 24 hours up to 18:00 of that day, or up to the end of the time range.

    Backfilled history counts a day whole from its first instant on, and a time zone moves the day's borders. Late in the day is
    within that day in both, from UTC-5 to UTC+18. The last value of an hour is taken, and not of more: what is no longer shown since a month turned has none.
    Today, whose 18:00 is still to come, has the values at the end, so that its column is there in the morning.
    """
    by_then = _at(select, lambda plain, which: f"{which}_over_time({plain}[1h] offset -18h)")
    now = _at(select, lambda plain, which: f"{plain} @ {TO}")
    is_today = f"on () (vector(time() + {18 * 3600}) > {TO})"
    return _spent(
        by, CHOSEN_MONTHS, lambda *what: f"({by_then(*what)} or ({now(*what)} and {is_today}))",
        _at(select, lambda plain, which: f"{which}_over_time({plain}[1h] offset 6h)"),
    )


def spend_of_day_of_largest(label, select, most):
    """The same by one label and currency, of the few values with the most money at the end of the time range; `shown` names them, and the rest together
    "all others".

    What is spent is evaluated once, and then named: to ask which values there are costs less than to evaluate it for the largest and again for the rest.
    """
    by = f"{label}, currency"
    largest = f"topk by (currency) ({most}, {added(by, by_account_at_end(by, COST_MTD, select))})"
    nameless = f'label_replace({largest} * 0 + 1, "shown", "no {label}", "{label}", "")'
    named = f'label_replace({nameless}, "shown", "$1", "{label}", "(.+)")'
    others = f'label_replace(({_of_columns(by, select)}) unless on ({by}) {largest}, "shown", "all others", "", "")'
    return f"sum by (shown, currency) ({spend_of_day(by, select)} * on ({by}) group_left (shown) ({named} or {others}))"


def _of_columns(by, select):
    """Every label set that `spend_of_day` may have in the time range: one that were missing here would be missing from the columns.

    Month to date may have one for an hour only. The previous month has what it has for all of a month, so that a look at it a week, and at the end, finds it,
    and most of its samples need not be read. The first column starts up to a day before Grafana's range, and looks back a quarter of a day.
    """
    found = [
        f"group by ({by}) (present_over_time({selector(family, select)}{window}))"
        for family in (MTD, COST_MTD) for window in (f"[$__range] @ {TO}", "[4d] @ start() offset -2d")
    ]
    for family in (PREVIOUS_MONTH, COST_PREVIOUS_MONTH):
        plain = selector(family, select)
        found.append(f"present_over_time((group by ({by}) (last_over_time({plain}[1d])))[$__range:7d] @ {TO})")
        found.append(f"group by ({by}) (last_over_time({plain}[1d] @ {TO}))")
    return " or ".join(found)


def age_of_month():
    """Seconds since each account's billing month began."""
    return f"(time() - max by (provider, account) ({selector(PERIOD_START, ACCOUNT)}))"


def early():
    """The accounts that are in the first days of their billing month."""
    return f"({age_of_month()} < {SETTLED})"


def settled(expression):
    """Without the accounts that are in the first days of their billing month."""
    return f"({expression} and {SAME_ACCOUNT} ({age_of_month()} >= {SETTLED}))"


def expected(by, select):
    """The whole month: our forecast, and in the month's first days the provider's estimate or the previous month instead."""
    stands_in = f"({by_account(by, ESTIMATE, select)} or {by_account(by, PREVIOUS_MONTH, select)})"
    return added(by, f"({settled(by_account(by, FORECAST, select))} or ({stands_in} and {SAME_ACCOUNT} {early()}))")


def is_early(by, select):
    """Whether any of it is in the first days of its billing month."""
    return f"count by ({by}) ({by_account(by, PREVIOUS_MONTH, select)} and {SAME_ACCOUNT} {early()})"


def same_day_last_month(by, select):
    """Month to date on the same day of the previous month (UTC), of accounts that show values now; all of that month where it was shorter."""
    length = "days_in_month(time() - 86400 * day_of_month())"
    shown = f"(max by (provider, account) ({PERIOD_START}) unless (max by (provider, account) ({SERIES}) == 0))"

    def after(days):
        then = by_account(by, COST_MTD, select, f"{days}d")
        return f"({added(by, f'({then} and {SAME_ACCOUNT} {shown})')} and on () ({length} == {days} and day_of_month() <= {days}))"

    return f"({' or '.join(map(after, (28, 29, 30, 31)))} or ({total(by, COST_PREVIOUS_MONTH, select)} and on () (day_of_month() > {length})))"


def rates():
    """The exchange rates to the reporting currency, by `currency`."""
    known = "max by (from_currency, to_currency) (cloudspend_exchange_rate)"
    return f'label_replace({known}, "currency", "$1", "from_currency", "(.+)")'


def worth():
    """Factors that rank amounts of several currencies: to the reporting currency, and 1 for a currency without a rate."""
    plain = f"{total('currency', MTD, '')} * 0 + 1"
    return f"(max by (currency) ({rates()}) or {plain})"


def ranked(expression):
    """By currency, the one that is worth most first: Prometheus keeps the order of the left side when it divides."""
    factor = f"on (currency) group_left () {worth()}"
    return f"sort_desc({expression} * {factor}) / {factor}"


def in_reporting_currency(by, money):
    """Of money by some labels and currency. What has no rate is left out, and `without_rate` tells it."""
    keep = f"{by}, " if by else ""
    return f"sum by ({keep}to_currency) ({money} * on (currency) group_left (to_currency) {rates()})"


def converted(by, metric, select):
    """A family in the reporting currency."""
    keep = f"{by}, " if by else ""
    return in_reporting_currency(by, total(f"{keep}currency", metric, select))


def without_rate(by, select):
    """Money this month that the conversion leaves out."""
    return f"({total(by, MTD, select)} unless on (currency) {rates()}) != 0"


def ratio(part, whole, labels):
    """A share; absent where the whole is 0."""
    return f"{part} / on ({labels}) ({whole} != 0)"


def missing(select):
    """What accounts showed in the last three days and show no longer, in each currency, as it was last.

    An account that shows the previous month and does not report the new one in its first days is not gone: it is withheld.
    """
    by = "provider, account, currency"
    shown = by_account(by, MTD, select)
    awaited = f"({by_account(by, PREVIOUS_MONTH, select)} and {SAME_ACCOUNT} {early()})"
    return f"last_over_time(({shown})[3d:1h]) unless {shown} unless {awaited}"


def about_chosen(shown):
    """Only accounts that show something of what is chosen, or show nothing at all, which may be withdrawn: for the trust tiles.

    `shown` gives the labels' matchers by family.
    """
    chosen = " or ".join(f"(count by (provider, account) ({selector(metric, select)}))" for metric, select in shown)
    return f"unless {SAME_ACCOUNT} ((max by (provider, account) ({selector(SERIES, ACCOUNT)}) > 0) unless ({chosen}))"
