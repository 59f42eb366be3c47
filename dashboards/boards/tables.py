"""Tables of money that several dashboards have: who moved, what is out of the ordinary, month over month."""

from . import promql as q
from . import shared
from .board import link_to
from .panels import RED, Column, Query, grid, money_column

CARRIED = ("provider", "account", "currency")


def customer_column():
    """A customer, who opens their own dashboard."""
    return Column("customer", "Customer", at_least=180, link=link_to("customer", *CARRIED, customer="${__value.raw:percentencode}"),
                  link_title="Open this customer")


def provider_column():
    """A provider, which opens its own dashboard."""
    return Column("provider", "Provider", width=115, link=link_to("provider", "account", "currency", provider="${__value.raw:percentencode}"),
                  link_title="Open this provider")


def moved(select):
    """The last 24 hours against the same 24 hours a week before, which leaves out what a weekend does."""
    by = "customer, currency"
    now, then = q.spend(by, select, "1d"), q.spend(by, select, "1d", "7d")
    return grid(
        "Who moved",
        "What each customer cost in the last 24 hours, and in the same 24 hours a week before. The eight that moved most, in their own currencies, ranked by "
        "their worth in the reporting currency where there is one. Red: costs more. A customer opens its own dashboard.",
        [
            Query(now),
            Query(then),
            Query(f"({now}) / on ({by}) (({then}) > 0) - 1"),
            Query(f"abs(({now}) - ({then})) * on (currency) group_left () {q.worth()}"),
        ],
        [
            customer_column(),
            Column("currency", "Currency", width=75),
            money_column("Value #A", "24 h", width=80),
            money_column("Value #B", "Week before", width=100),
            money_column("Change", "Change", width=80, steps=shared.MOVE_STEPS),
            Column("Value #C", "%", unit="percentunit", decimals=0, width=70),
        ],
        rank=("Value #D", 8),
        difference=("Change", "Value #A", "Value #B"),
        no_value="–",
    )


def unusual(select):
    """Days over one and a half times the highest of the same weekdays before."""
    by = "customer, currency"
    weeks = " or ".join(
        f'label_replace({q.spend(by, select, "1d", f"{7 * week}d")}, "week", "{week}", "", "")' for week in (1, 2, 3, 4)
    )
    usual = f"(max by ({by}) ({weeks}) > 0)"
    now = q.spend(by, select, "1d")
    return grid(
        "Out of the ordinary",
        "Customers that cost more in the last 24 hours than 1.5 times the highest of the same 24 hours 7, 14, 21 and 28 days before. "
        "Empty is good, or there is no history yet. On the first of a month, monthly charges stand here, too.",
        [Query(f"({now}) > on ({by}) 1.5 * {usual}")],
        [
            customer_column(),
            Column("currency", "Currency", width=75),
            money_column("Value", "24 h", steps=(RED,)),
        ],
        sort=[("24 h", True)],
        no_value="nothing out of the ordinary",
    )


def month_over_month(title, description, by, columns, select, *, raw_extra=(), extra_columns=(), share=False, sort="This month"):
    """This month and its forecast against the month before, absolute and in percent."""
    current, forecast, last = q.total(by, q.MTD, select), q.expected(by, select), q.total(by, q.PREVIOUS_MONTH, select)
    queries = [
        Query(current), Query(forecast), Query(last),
        Query(f"{forecast} - on ({by}) {last}"),
        Query(f"({forecast} - on ({by}) {last}) / on ({by}) ({last} > 0)"),
        Query(q.same_day_last_month(by, select)),
    ]
    found = [
        *columns,
        money_column("Value #A", "This month", width=110),
        money_column("Value #F", "Last by now", width=95),
        money_column("Value #B", "Forecast"),
        money_column("Value #C", "Last month"),
        money_column("Value #D", "Change", steps=shared.MOVE_STEPS),
        Column("Value #E", "Change %", unit="percentunit", decimals=1, width=85, steps=shared.CHANGE_STEPS),
    ]
    if share:
        queries.append(Query(f"{current} / on (currency) group_left () (sum by (currency) ({current}) > 0)"))
        found.append(Column("Value #G", "Share", unit="percentunit", decimals=1, width=120, cell="gauge", minimum=0, maximum=1, steps=("blue",)))
    queries += raw_extra
    found += extra_columns
    return grid(
        title,
        f"{description} Last by now: what the month before had cost by this day. Change: the forecast less the month before. {shared.EARLY}",
        queries, found, sort=[(sort, True)],
    )
