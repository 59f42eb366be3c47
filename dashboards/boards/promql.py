"""PromQL that all dashboards share: one HA pair counted once, month turns, currencies kept apart.

Two replicas of an exporter show the same series under two values of instance and pod. `max without (instance, pod)`
makes one of the two before anything is added; shards, which show different accounts, pass it unchanged.
"""

MTD = "cloudspend_billed_cost_month_to_date"
PREVIOUS_MONTH = "cloudspend_billed_cost_previous_month"
FORECAST = "cloudspend_forecast_cost_month_end"
PERIOD_START = "cloudspend_billing_period_start_timestamp_seconds"
PERIOD_END = "cloudspend_billing_period_end_timestamp_seconds"

ACCOUNT = 'provider=~"$provider", account=~"$account"'
SEATS = f'{ACCOUNT}, customer=~"$customer", project=~"$project", product=~"$product"'
MONEY = f'{SEATS}, currency=~"$currency"'
# One customer, who need not be chosen among several.
ONE_CUSTOMER = f'{ACCOUNT}, customer="$customer", project=~"$project", product=~"$product"'
ONE_CUSTOMERS_MONEY = f'{ONE_CUSTOMER}, currency=~"$currency"'

SAME_ACCOUNT = "on (provider, account)"


def once(metric, select="", offset=""):
    """One sample of each series, whatever the number of replicas.

    In the past the last sample of an hour is taken: history that was backfilled has one sample an hour, which a plain
    selector finds only for five minutes.
    """
    selector = f"{{{select}}}" if select else ""
    sample = f"last_over_time({metric}{selector}[1h] offset {offset})" if offset else f"{metric}{selector}"
    return f"max without (instance, pod) ({sample})"


def total(by, metric, select="", offset=""):
    """The sum by some labels."""
    return f"sum by ({by}) ({once(metric, select, offset)})"


def _hours(window):
    return int(window[:-1]) * {"h": 1, "d": 24}[window[-1]]


def _offset(hours):
    if hours == 0:
        return ""
    return f"{hours // 24}d" if hours % 24 == 0 else f"{hours}h"


def spend(by, select, window, ago="0h"):
    """What was spent in a window (`1d`, `7d`, at most a month) that ended some time `ago`; may be negative, so that a day's
    spend can be drawn at the day's start.

    Month to date is a saw tooth: at the turn of a month it falls to 0. What the finished month got after the window
    began is its end value, which is then the previous month, less what it had. Accounts that show no values at one
    end of the window say nothing.
    """
    new, old = _offset(_hours(ago)), _offset(_hours(ago) + _hours(window))
    now, then = once(MTD, select, new), once(MTD, select, old)
    started = [f"max by (provider, account) ({once(PERIOD_START, '', at)})" for at in (new, old)]
    turned = f"({started[0]} > {started[1]})"
    nothing = f"0 * sum by ({by}) ({now})"
    return (
        f"sum by ({by}) ({now} and {SAME_ACCOUNT} {then})"
        f" + (sum by ({by}) ({once(PREVIOUS_MONTH, select, new)} and {SAME_ACCOUNT} {turned}) or {nothing})"
        f" - (sum by ({by}) ({then} and {SAME_ACCOUNT} {now}) or {nothing})"
    )


def spend_of_day(by, select):
    """What a day cost, at the day's start: what month to date gained in the 24 hours up to 18:00 of that day.

    Backfilled history counts a day whole from its first instant on, and a time zone moves the day's borders. Late in the day is
    within that day in both, from UTC-5 to UTC+18.
    """
    return spend(by, select, "1d", "-18h")


def largest(by, select, most):
    """The label sets with the most money at the end of the time range, the same at every step of a graph."""
    return f"topk by (currency) ({most}, sum by ({by}) (max without (instance, pod) ({MTD}{{{select}}} @ end())))"


def change(by, select, window):
    """How much more was spent in the last window than in the one before."""
    return f"({spend(by, select, window)}) - ({spend(by, select, window, window)})"


def weight(by, select, window):
    """How much a change weighs against the others: its worth in the reporting currency, or its plain amount in a currency
    that has no rate. Good for ranking only.
    """
    rate = f"(max by (currency) ({rates()}) or {total('currency', MTD, select)} * 0 + 1)"
    return f"abs({change(by, select, window)}) * on (currency) group_left () {rate}"


def rates():
    """The exchange rates to the reporting currency, by `currency`."""
    known = "max by (from_currency, to_currency) (cloudspend_exchange_rate)"
    return f'label_replace({known}, "currency", "$1", "from_currency", "(.+)")'


def converted(by, metric, select):
    """In the reporting currency. What has no rate is left out, and `without_rate` tells it."""
    keep = f"{by}, " if by else ""
    money = total(f"{keep}currency", metric, select)
    return f"sum by ({keep}to_currency) ({money} * on (currency) group_left (to_currency) {rates()})"


def without_rate(by, select):
    """Money this month that the conversion leaves out."""
    return f"({total(by, MTD, select)} unless on (currency) {rates()}) != 0"


def ratio(part, whole, labels):
    """A share; absent where the whole is 0."""
    return f"{part} / on ({labels}) ({whole} != 0)"
