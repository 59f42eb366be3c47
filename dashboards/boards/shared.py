"""What several dashboards show alike: whether the numbers can be trusted, what is missing, and money by currency."""

from . import promql as q
from .panels import CURRENCIES, DAY, GREEN, GREY, HOUR, ORANGE, RED, YELLOW, Column, Query, by_currency, grid, history, money_column, prop, stats
from .panels import hours, tile_steps

# An account is read at least every few hours; after a day without success its values are about to be withdrawn.
AGE_STEPS = (GREEN, (3 * HOUR, YELLOW), (24 * HOUR, RED))
# Daily data ends with a closed day, so that it is one to two days old when all is well.
DATA_AGE_STEPS = (GREEN, (2 * DAY, YELLOW), (3 * DAY, RED))
FOLDED_STEPS = (GREEN, (0.000001, YELLOW), (0.05, RED))
# More than the previous month is not bad in itself; much more asks for a look.
CHANGE_STEPS = (GREEN, (0.1, YELLOW), (0.3, RED))
USED_STEPS = (GREEN, (0.8, ORANGE), (1, RED))
# A change of money: red costs more.
MOVE_STEPS = (GREEN, (-0.5, GREY), (0.5, RED))

OLDEST = "cloudspend_oldest_part_success_timestamp_seconds"
DATA = "cloudspend_data_timestamp_seconds"
FOLDED = "cloudspend_folded_cost_ratio"
WITHHELD = "cloudspend_withheld_parts"
MISSING_COST = "cloudspend_missing_cost_rows"
OF_BILLED = "Of billed cost: where another cost is chosen and shown, there is no forecast."
EARLY = (
    "In the first three days of a billing month a run rate says little: until then the provider's estimate is shown here, or the previous month where "
    "there is none."
)


def trust(select_money, select_seats=None):
    """Failing accounts, the age of what is shown, what is folded, what has no exchange rate: of the accounts that are about what is
    chosen.
    """
    nothing = "or vector(0)"
    # An account that does not report this month shows the previous one.
    families = [(family, select_money) for family in q.BILLED_MONTHS] + [(family, select_seats or q.SEATS) for family in (q.QUANTITY, q.SEATS_BOUGHT)]
    chosen = q.about_chosen(families)
    failing = q.once("cloudspend_poll_success", q.ACCOUNT)
    panel = stats(
        "Can I trust it?",
        "Failing: accounts whose last poll did not wholly succeed; their last good values are shown. Missing: accounts that showed money within three days and show none now. Read: the longest time since "
        "anything that is shown was read with success. Data: how far back the newest day or hour of the most belated account "
        "lies. In other: the largest share of an account's money that is folded into the value other. No rate: currencies "
        "with money but without an exchange rate, which the sums in one currency leave out. Withheld: parts with money in this month "
        "or the previous month that do not report the other, so that its sum lacks them. Rows: rows that lack a second cost, such as list cost, and are left out of it. Of the accounts that show what is chosen, and of those "
        "that show nothing at present, which might.",
        [
            Query(f"count(({failing} == 0) {chosen}) {nothing}", "failing"),
            Query(f"count(count by (provider, account) ({q.missing(select_money)})) {nothing}", "missing"),
            Query(f"max((time() - {q.once(OLDEST, q.ACCOUNT)}) {chosen}) / 3600", "read"),
            Query(f"max((time() - {q.once(DATA, q.ACCOUNT)}) {chosen}) / 3600", "data"),
            Query(f"max({q.once(FOLDED, q.ACCOUNT)} {chosen})", "in other"),
            Query(f"(count({q.without_rate('currency', select_money)}) and on () cloudspend_exchange_rate) {nothing}", "no rate"),
            Query(f"sum({withheld('provider, account')} {chosen}) {nothing}", "withheld"),
            Query(f"sum({rows_without_cost('provider, account')} {chosen}) {nothing}", "rows"),
        ],
        unit="none",
        steps=(GREEN, (1, RED)),
        no_value="unknown",
        tiles=True,
    )
    panel.override_by_name("read", hours(*AGE_STEPS))
    panel.override_by_name("data", hours(*DATA_AGE_STEPS))
    panel.override_by_name("in other", [prop("unit", "percentunit"), prop("decimals", 1), tile_steps(*FOLDED_STEPS)])
    for name in ("no rate", "withheld", "rows"):
        panel.override_by_name(name, [tile_steps(GREEN, (1, YELLOW))])
    return panel


def missing(select):
    """What no sum has any longer."""
    return grid(
        "Missing from these sums",
        "Accounts that showed money within the last three days and show none now, with the month to date that they showed last: withdrawn as "
        "stale, taken out of the configuration, or on an exporter that is down. Every sum lacks it. Not accounts that do not report a new month yet in its first "
        "three days: those count as withheld.",
        [Query(q.missing(select))],
        [
            Column("account", "Account", at_least=120, steps=(RED,)),
            Column("currency", "Currency", width=75),
            money_column("Value", "Last known", width=100, steps=(RED,)),
        ],
        sort=[("Last known", True)],
        no_value="nothing missing",
    )


def withheld(by):
    """Parts that lack one of the two months. A month that one of two replicas has is shown, so the smaller count is the right one."""
    return f"sum by ({by}) (min without (instance, pod) ({WITHHELD}{{{q.ACCOUNT}}}))"


def rows_without_cost(by):
    """Rows that lack a second cost basis, of all bases together."""
    return f"sum by ({by}) (max without (instance, pod) ({MISSING_COST}{{{q.ACCOUNT}}}))"


def spent_this_month(select):
    """Month to date by currency."""
    return by_currency(stats(
        "Spent this month",
        "The chosen cost of the current billing month so far, the current day included, by currency, the one that is worth most first. A billing month "
        "turns at midnight in the account's time zone.",
        [Query(q.ranked(q.total("currency", q.COST_MTD, select)), "{{currency}}")],
        lines=True, no_value="no money here",
    ))


def _early_in_grey(panel):
    panel.override_by_regexp("/early estimate/", [prop("color", {"mode": "fixed", "fixedColor": GREY})])
    return panel


def whole_month(select):
    """The expected month by currency, grey while it is an early estimate."""
    expected, is_early = q.of_billed("currency", q.expected("currency", select), select), q.is_early("currency", select)
    return _early_in_grey(by_currency(stats(
        "Whole month, forecast",
        "The exporter's own forecast of the whole billing month, by currency: what is closed, plus the daily rate times the days "
        "that remain. One-time and recurring charges are counted and not extrapolated; what is paid in advance has no forecast. "
        f"{OF_BILLED} {EARLY}",
        [
            Query(q.ranked(f"({expected} unless on (currency) {is_early})"), "{{currency}}"),
            Query(q.ranked(f"({expected} and on (currency) {is_early})"), "early estimate {{currency}}"),
        ],
        lines=True, no_value="no forecast",
    )))


def last_month(select):
    """The previous month by currency."""
    return by_currency(stats(
        "Last month",
        "The chosen cost of the billing month before, by currency. It follows the provider's later corrections.",
        [Query(q.ranked(q.total("currency", q.COST_PREVIOUS_MONTH, select)), "{{currency}}")],
        lines=True, no_value="no money here",
    ))


def against_last_month(select):
    """Forecast over previous month by currency, of what has a forecast."""
    panel = stats(
        "Forecast against last month",
        "How much more (+) or less (-) the whole month is forecast to cost than the billing month before, by currency; from the third day of the "
        f"billing month on. {OF_BILLED}",
        [Query(f"sort_desc({q.of_billed('currency', forecast_over_last_month('currency', select), select)})", "{{currency}}")],
        unit="percentunit",
        steps=CHANGE_STEPS,
        decimals=1,
        lines=True,
        no_value="no forecast",
    )
    return panel


def forecast_over_last_month(by, select):
    """The relative change from the previous month to the forecast of this one, over accounts that have both."""
    forecast = q.settled(q.by_account(by, q.FORECAST, select))
    previous = q.added(by, f"({q.by_account(by, q.PREVIOUS_MONTH, select)} and {q.SAME_ACCOUNT} {forecast})")
    return f"{q.ratio(q.added(by, forecast), previous, by)} - 1"


def forecast_line(forecast, select):
    """A forecast by currency over time, where it is of billed cost and no account is in its month's first days: months start at different times in different
    time zones, and a sum over some of the accounts would look like a drop.
    """
    return f"({q.of_billed('currency', forecast, select)} unless on () count({q.early()}))"


def bound_of_forecast(side, select):
    """A bound of the forecast by currency, where every account that has a forecast at the end of the time range has bounds: those of some would lie beside the
    forecast of all.

    The bounds are an account's: they have no customer, project or product, so that they are gone where one is chosen.
    """
    bounds = q.by_account("currency", f"cloudspend_account_forecast_cost_month_end_{side}", select)
    unbounded = f"({q.by_account_at_end('currency', q.FORECAST, select)} unless {bounds})"
    return f"({q.added('currency', bounds)} unless on (currency) {unbounded})"


def month_to_date(select, bounds=True):
    """The current month, what it is forecast to be and what the one before was, one panel for each chosen currency. A customer has no
    bounds.
    """
    forecast = q.added("currency", q.by_account("currency", q.FORECAST, select))
    cone = [Query(forecast_line(bound_of_forecast(side, select), select), f"{side} {{{{currency}}}}") for side in ("lower", "upper")] if bounds else []
    of_cone = " Shaded: the bounds of the forecast, where all accounts have some and no customer, project or product is chosen." if bounds else ""
    panel = by_currency(history(
        "Month to date, $currency",
        "A saw tooth by nature: it starts at 0 when a billing month turns. The current month, its forecast from the third day of all chosen accounts on (dotted), and the "
        f"month before at its full height (dashed).{of_cone} {OF_BILLED}",
        [
            Query(q.total("currency", q.COST_MTD, select), "spent {{currency}}"),
            Query(forecast_line(forecast, select), "forecast {{currency}}"),
            Query(q.total("currency", q.COST_PREVIOUS_MONTH, select), "last month {{currency}}"),
            *cone,
        ],
        interval="6h",
    ))
    colour = lambda name: prop("color", {"mode": "fixed", "fixedColor": name})
    panel.override_by_regexp("/^spent /", [colour("blue"), prop("custom.fillOpacity", 15)])
    panel.override_by_regexp("/^forecast /", [
        colour("purple"), prop("custom.lineStyle", {"fill": "dash", "dash": [2, 4]}),
    ])
    if bounds:
        as_cone(panel)
    panel.override_by_regexp("/^last month /", [
        colour("text"), prop("custom.lineStyle", {"fill": "dash", "dash": [6, 6]}), prop("custom.lineWidth", 1),
    ])
    return panel.repeat("currency").repeat_direction("h").max_per_row(3)


def as_cone(panel):
    """Shades what lies between the series called lower and upper of a currency."""
    panel.override_by_regexp("/^(lower|upper) /", [
        prop("color", {"mode": "fixed", "fixedColor": "purple"}), prop("custom.lineWidth", 0),
        prop("custom.hideFrom", {"legend": True, "tooltip": False, "viz": False}),
    ])
    for code in CURRENCIES:
        panel.override_by_name(f"upper {code}", [prop("custom.fillBelowTo", f"lower {code}"), prop("custom.fillOpacity", 12)])
    return panel


def days(title, query, description):
    """Spend by day, one panel for each chosen currency."""
    panel = by_currency(history(
        title,
        f"{description} A column holds what month to date gained in the 24 hours up to 18:00 of that day, today up to now, also over the turn of "
        "a month. Money counts when the provider reports it, so late data stands in a later column. Below 0 where credits "
        "outweigh. No column: no values in the hour before 18:00 (UTC), or then a day earlier.",
        [query],
        interval="1d",
        columns=True,
        stacked=True,
    ))
    panel.override_by_regexp("/^all others /", [prop("color", {"mode": "fixed", "fixedColor": "#8e8e8e"})])
    return panel.repeat("currency").repeat_direction("h").max_per_row(3)


def days_by_product(title, select, description):
    """Spend by day of the eight largest products, and of all others together."""
    return days(title, Query(q.spend_of_day_of_largest("product", select, 8), "{{shown}} {{currency}}"), f"{description}, the eight largest apart.")
