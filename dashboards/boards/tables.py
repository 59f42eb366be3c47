"""Tables of money that several dashboards have: who moved, what is out of the ordinary, month over month."""

from . import promql as q
from . import shared
from .board import link_to
from .panels import GREEN, RED, TREND, Column, Query, grid, money_column

CARRIED = ("provider", "account", "currency")


def customer_column():
    """A customer, who opens their own dashboard."""
    return Column("customer", "Customer", at_least=180, link=link_to("customer", *CARRIED, customer="${__value.raw:percentencode}"),
                  link_title="Open this customer")


def provider_column():
    """A provider, which opens its own dashboard."""
    return Column("provider", "Provider", width=110, link=link_to("provider", "account", "currency", provider="${__value.raw:percentencode}"),
                  link_title="Open this provider")


def moved(select):
    """The last 24 hours against the same 24 hours a week before, which leaves out what a weekend does."""
    by = "customer, currency"
    now, then = _now_and_week_before(by, select)
    change = against_week_before(by, select)
    return grid(
        "Who moved",
        "What each customer cost in the last 24 hours, and in the same 24 hours a week before. The eight that moved most, in their own currencies, ranked by "
        "their worth in the reporting currency where there is one; a customer without a value then counts from 0. Red: costs more. A customer opens its own dashboard.",
        [
            Query(now),
            Query(then),
            Query(change),
            Query(f"{now} / on ({by}) ({then} > 0) - 1"),
            Query(f"abs({change}) * on (currency) group_left () {q.worth()}"),
        ],
        [
            customer_column(),
            Column("currency", "Currency", width=75),
            money_column("Value #A", "24 h", width=80),
            money_column("Value #B", "Week before", width=100),
            money_column("Value #C", "Change", width=80, steps=shared.MOVE_STEPS),
            Column("Value #D", "%", unit="percentunit", decimals=0, width=70),
        ],
        rank=("Value #E", 8),
        no_value="–",
    )


def _now_and_week_before(by, select):
    return [q.spend(by, select, "1d", ago, q.CHOSEN_MONTHS) for ago in ("0h", "7d")]


def against_week_before(by, select):
    """The last 24 hours less the same 24 hours a week before. A missing value counts as 0, so that a new customer is included."""
    now, then = _now_and_week_before(by, select)
    return f'sum by ({by}) (label_replace({now}, "part", "now", "", "") or label_replace(0 - {then}, "part", "then", "", ""))'


def unusual(select):
    """Days over one and a half times the highest of the same weekdays before."""
    by = "customer, currency"
    weeks = " or ".join(
        f'label_replace({q.spend(by, select, "1d", f"{7 * week}d")}, "week", "{week}", "", "")' for week in (1, 2, 3, 4)
    )
    now = q.spend(by, select, "1d")
    # What is charged on the first of every month is ordinary then, as for the alert.
    month_before = f'label_replace(max_over_time(({now})[4d:1d] offset 28d), "week", "month", "", "") and on () count({q.early()})'
    usual = f"(max by ({by}) ({weeks} or ({month_before})) > 0)"
    return grid(
        "Out of the ordinary",
        "Customers that cost more in the last 24 hours than 1.5 times the highest of the same 24 hours 7, 14, 21 and 28 days before. "
        "Empty is good, or there is no history yet. In the first three days of a month the days 28 to 31 days before count, too. Of billed cost, like the alert.",
        [Query(f"({now}) > on ({by}) 1.5 * {usual}")],
        [
            customer_column(),
            Column("currency", "Currency", width=75),
            money_column("Value", "24 h", steps=(RED,)),
        ],
        sort=[("24 h", True)],
        no_value="nothing out of the ordinary",
    )


def month_over_month(title, description, by, columns, select, *, raw_extra=(), extra_columns=(), share=False, trend=False, sort="This month"):
    """This month and its forecast against the previous month, absolute and in percent."""
    current, last = q.total(by, q.COST_MTD, select), q.total(by, q.COST_PREVIOUS_MONTH, select)
    forecast = q.of_billed(by, q.expected(by, select), select)
    queries = [
        Query(current), Query(forecast), Query(last),
        Query(f"{forecast} - on ({by}) {last}"),
        Query(f"{forecast} / on ({by}) ({last} > 0) - 1"),
        Query(q.same_day_last_month(by, select)),
    ]
    found = [
        *columns,
        money_column("Value #A", "This month", width=103),
        money_column("Value #F", "Last by now", width=92),
        money_column("Value #B", "Forecast", width=85),
        money_column("Value #C", "Last month", width=90),
        money_column("Value #D", "Change", width=80, steps=shared.MOVE_STEPS),
        Column("Value #E", "Change %", unit="percentunit", decimals=1, width=78, steps=shared.CHANGE_STEPS),
    ]
    if share:
        queries.append(Query(f"{current} / on (currency) group_left () (sum by (currency) ({current}) > 0)"))
        found.append(Column("Value #G", "Share", unit="percentunit", decimals=1, width=120, cell="gauge", minimum=0, maximum=1, steps=("blue",)))
    if trend:
        found.append(Column(f"Trend #{TREND}", "By day", width=110, cell="sparkline"))
    queries += raw_extra
    found += extra_columns
    return grid(
        title,
        f"{description} Last by now: what the previous month had cost by this day. Change: the forecast less the previous month. {shared.OF_BILLED} {shared.EARLY}",
        queries, found, sort=[(sort, True)], trend=q.spend_of_day(by, select) if trend else None,
    )


def _costs(by, select):
    """The four costs of a month by account and some labels, and what is paid: effective cost, or billed cost where there is none."""
    billed, listed, contracted, effective = (
        q.by_account(by, f"cloudspend_{cost}_cost_month_to_date", select) for cost in ("billed", "list", "contracted", "effective")
    )
    return billed, listed, contracted, effective, f"({effective} or ({billed} unless {q.SAME_ACCOUNT} {effective}))"


def discount_ratio(by, select):
    """What share of the list cost is not paid, of accounts that report it."""
    _, listed, _, _, paid = _costs(by, select)
    return f"1 - {q.added(by, f'({paid} and {q.SAME_ACCOUNT} {listed})')} / on ({by}) ({q.added(by, listed)} > 0)"


def commitment_ratio(by, select):
    """How far effective cost is above (+) or below (-) billed cost, of accounts that report both."""
    billed, _, _, effective, _ = _costs(by, select)
    return f"{q.added(by, effective)} / on ({by}) ({q.added(by, f'({billed} and {q.SAME_ACCOUNT} {effective})')} > 0) - 1"


def costs(title, description, by, columns, select, *, with_rows=False):
    """What discounts and commitments do, in money and in percent: of each account only what it reports."""
    billed, listed, contracted, effective, paid = _costs(by, select)
    listed_or_effective = f"({billed} and {q.SAME_ACCOUNT} ({listed} or {effective}))"
    listed_all, effective_all = q.added(by, listed), q.added(by, effective)
    paid_of_listed = q.added(by, f"({paid} and {q.SAME_ACCOUNT} {listed})")
    billed_of_effective = q.added(by, f"({billed} and {q.SAME_ACCOUNT} {effective})")
    return grid(
        title,
        f"{description} Month to date of accounts that report list or effective cost. Discount: list cost less what is paid, which is effective cost, or billed "
        "cost where there is no effective. Commitments: effective less billed cost; below 0 where more was paid than the month's use takes, above 0 where "
        "use is covered by what was paid in another month. Rows that lack a cost are left out of it: see Rows without a cost.",
        [
            Query(q.added(by, listed_or_effective)),
            Query(listed_all),
            Query(q.added(by, contracted)),
            Query(effective_all),
            Query(f"{listed_all} - on ({by}) {paid_of_listed}"),
            Query(discount_ratio(by, select)),
            Query(f"{effective_all} - on ({by}) {billed_of_effective}"),
            Query(commitment_ratio(by, select)),
            *([Query(f"{q.added(by, listed_or_effective)} * 0 + {q.SAME_ACCOUNT} group_left () {shared.rows_without_cost('provider, account')}")] if with_rows else []),
        ],
        [
            *columns,
            money_column("Value #A", "Billed", width=85),
            money_column("Value #B", "List", width=85),
            money_column("Value #C", "Contracted", width=85),
            money_column("Value #D", "Effective", width=85),
            money_column("Value #E", "Discount", width=85),
            Column("Value #F", "Discount %", unit="percentunit", decimals=1, width=90),
            money_column("Value #G", "Commitments", width=105),
            Column("Value #H", "in %", unit="percentunit", decimals=1, width=70),
            *([Column("Value #I", "Rows", unit="locale", decimals=0, width=65, steps=(GREEN, (1, RED)))] if with_rows else []),
        ],
        sort=[("List", True)],
        no_value="–",
    )


def rows_without_cost():
    """Which costs are too small, and by how many rows."""
    return grid(
        "Rows without a cost",
        "Rows of this month and the previous month that have no cost of a kind, such as list cost, and are left out of it: the difference to the other "
        "costs is then not to be relied on. Of all chosen accounts that report the cost; 0 is good.",
        [Query(f"max by (provider, account, cost) (cloudspend_missing_cost_rows{{{q.ACCOUNT}}})")],
        [
            Column("account", "Account", at_least=110),
            Column("cost", "Cost", width=90),
            Column("Value", "Rows", unit="locale", decimals=0, width=70, steps=(GREEN, (1, RED))),
        ],
        sort=[("Rows", True), ("Account", False)],
        no_value="billed cost only",
    )
