"""What several dashboards show alike: whether the numbers can be trusted, and money by currency."""

from . import promql as q
from .panels import DAY, GREEN, HOUR, ORANGE, RED, YELLOW, Query, by_currency, history, prop, stats, threshold_prop

# An account is read at least every few hours; after a day without success its values are about to be withdrawn.
AGE_STEPS = (GREEN, (3 * HOUR, YELLOW), (24 * HOUR, RED))
# Daily data ends with a closed day, so that it is one to two days old when all is well.
DATA_AGE_STEPS = (GREEN, (2 * DAY, YELLOW), (3 * DAY, RED))
FOLDED_STEPS = (GREEN, (0.000001, YELLOW), (0.05, RED))
# More than the month before is not bad in itself; much more asks for a look.
CHANGE_STEPS = (GREEN, (0.1, YELLOW), (0.3, RED))
USED_STEPS = (GREEN, (0.8, ORANGE), (1, RED))

OLDEST = "cloudspend_oldest_part_success_timestamp_seconds"
DATA = "cloudspend_data_timestamp_seconds"
FOLDED = "cloudspend_folded_cost_ratio"
WITHHELD = "cloudspend_withheld_parts"


def trust(select_money):
    """Failing accounts, the age of what is shown, what is folded, what has no exchange rate."""
    nothing = "or vector(0)"
    failing = q.once("cloudspend_poll_success", q.ACCOUNT)
    panel = stats(
        "Can I trust it?",
        "Failing: accounts whose last poll did not wholly succeed; their last good values are shown. Read: the longest time since "
        "anything that is shown was read with success. Data: how far back the newest day or hour of the most belated account "
        "lies. In other: the largest share of an account's money that is folded into the value other. No rate: currencies "
        "with money but without an exchange rate, which the sums in one currency leave out. Withheld: parts with money in this month "
        "or the month before that do not report the other, so that its sum lacks them. Stale values, and accounts that are "
        "withdrawn, show up under Failing and Read.",
        [
            Query(f"count({failing} == 0) {nothing}", "failing"),
            Query(f"max(time() - {q.once(OLDEST, q.ACCOUNT)})", "read"),
            Query(f"max(time() - {q.once(DATA, q.ACCOUNT)})", "data"),
            Query(f"max({q.once(FOLDED, q.ACCOUNT)})", "in other"),
            Query(f"(count({q.without_rate('currency', select_money)}) and on () cloudspend_exchange_rate) {nothing}", "no rate"),
            Query(f"sum({withheld('provider, account')})", "withheld"),
        ],
        unit="none",
        steps=(GREEN, (1, RED)),
        no_value="unknown",
        tiles=True,
    )
    panel.override_by_name("read", [prop("unit", "s"), prop("decimals", 0), threshold_prop(*AGE_STEPS)])
    panel.override_by_name("data", [prop("unit", "s"), prop("decimals", 0), threshold_prop(*DATA_AGE_STEPS)])
    panel.override_by_name("in other", [prop("unit", "percentunit"), prop("decimals", 1), threshold_prop(*FOLDED_STEPS)])
    for name in ("no rate", "withheld"):
        panel.override_by_name(name, [threshold_prop(GREEN, (1, YELLOW))])
    return panel


def withheld(by):
    """Parts that lack one of the two months. A month that one of two replicas has is shown, so the smaller count is the right one."""
    return f"sum by ({by}) (min without (instance, pod) ({WITHHELD}{{{q.ACCOUNT}}}))"


def spent_this_month(select):
    """Month to date by currency."""
    return by_currency(stats(
        "Spent this month",
        "Billed cost of the running billing month so far, the running day included, by currency. A billing month turns at "
        "midnight in the account's time zone.",
        [Query(f"sort_desc({q.total('currency', q.MTD, select)})", "{{currency}}")],
        no_value="no money here",
    ))


def whole_month(select):
    """Our forecast by currency."""
    return by_currency(stats(
        "Whole month, forecast",
        "The exporter's own forecast of the whole billing month, by currency: what is closed, plus the daily rate times the days "
        "that remain. One-time and recurring charges are counted and not extrapolated; what is paid in advance has no forecast.",
        [Query(f"sort_desc({q.total('currency', q.FORECAST, select)})", "{{currency}}")],
        no_value="no forecast yet",
    ))


def last_month(select):
    """The previous month by currency."""
    return by_currency(stats(
        "Last month",
        "Billed cost of the billing month before, by currency. It follows the provider's later corrections.",
        [Query(f"sort_desc({q.total('currency', q.PREVIOUS_MONTH, select)})", "{{currency}}")],
        no_value="no money here",
    ))


def against_last_month(select):
    """Forecast over previous month by currency, of what has a forecast."""
    panel = stats(
        "Forecast against last month",
        "How much more (+) or less (-) the whole month is forecast to cost than the billing month before, by currency.",
        [Query(f"sort_desc({forecast_over_last_month('currency', select)})", "{{currency}}")],
        unit="percentunit",
        steps=CHANGE_STEPS,
        decimals=1,
        no_value="no forecast yet",
    )
    return panel


def forecast_over_last_month(by, select):
    """The relative change from the previous month to the forecast of this one, over accounts that have both."""
    previous = f"sum by ({by}) ({q.once(q.PREVIOUS_MONTH, select)} and {q.SAME_ACCOUNT} {q.once(q.FORECAST, select)})"
    return f"{q.ratio(q.total(by, q.FORECAST, select), previous, by)} - 1"


def month_to_date(select):
    """The running month, what it is forecast to be and what the one before was, one panel for each chosen currency."""
    panel = by_currency(history(
        "Month to date, $currency",
        "A saw tooth by nature: it starts at 0 when a billing month turns. The running month, its forecast (dotted) and the month before at "
        "its full height (dashed).",
        [
            Query(q.total("currency", q.MTD, select), "spent {{currency}}"),
            Query(q.total("currency", q.FORECAST, select), "forecast {{currency}}"),
            Query(q.total("currency", q.PREVIOUS_MONTH, select), "last month {{currency}}"),
        ],
    ))
    colour = lambda name: prop("color", {"mode": "fixed", "fixedColor": name})
    panel.override_by_regexp("/^spent /", [colour("blue"), prop("custom.fillOpacity", 15)])
    panel.override_by_regexp("/^forecast /", [
        colour("purple"), prop("custom.lineStyle", {"fill": "dash", "dash": [2, 4]}),
    ])
    panel.override_by_regexp("/^last month /", [
        colour("text"), prop("custom.lineStyle", {"fill": "dash", "dash": [6, 6]}), prop("custom.lineWidth", 1),
    ])
    return panel.repeat("currency").repeat_direction("h").max_per_row(3)


def days(title, by, legend, select, description, largest=None):
    """Spend by day, one panel for each chosen currency; the largest few apart, and the rest in one."""
    spend = q.spend_of_day(by, select)

    def named(expression):
        """A name for what the provider gives none."""
        if "{{product}}" not in legend:
            return expression
        return f'label_replace({expression}, "product", "no product", "product", "")'

    queries = [Query(named(spend), legend)]
    if largest:
        few = q.largest(by, select, largest)
        on = f"on ({by})"
        queries = [
            Query(named(f"({spend}) and {on} {few}"), legend),
            Query(f"sum by (currency) (({spend}) unless {on} {few})", "all others {{currency}}"),
        ]
    panel = by_currency(history(
        title,
        f"{description} A column holds what month to date gained in the 24 hours up to 18:00 of that day, also over the turn of "
        "a month. Money counts when the provider reports it, so late data stands in a later column. Below 0 where credits "
        "outweigh. No column: no values then or a day earlier.",
        queries,
        interval="1d",
        columns=True,
        stacked=True,
    ))
    panel.override_by_regexp("/^all others /", [prop("color", {"mode": "fixed", "fixedColor": "#8e8e8e"})])
    return panel.repeat("currency").repeat_direction("h").max_per_row(3)
