"""Overview: how much, against what, who moved, can I trust it."""

from . import promql as q
from . import shared, tables
from .alerts import firing
from .board import board, link_to
from .budgets import FORECAST_RATIO, INCOMPLETE, LIMIT_OF_ALL, SPENT_RATIO, of_chosen
from .panels import GREY, GREEN, RED, YELLOW, Column, Query, bars, by_currency, grid, money_column, prop, said, share, stats, threshold_prop

NAMES = ["provider", "account", "customer", "project", "product", "currency"]


def in_one_currency():
    """What the whole is, in one currency."""
    spent = q.converted("", q.COST_MTD, q.MONEY)
    expected = q.of_billed("", q.in_reporting_currency("", q.expected("currency", q.MONEY)), q.MONEY)
    early = f"on () count({q.early()})"
    last = q.converted("", q.PREVIOUS_MONTH, q.MONEY)
    of_budgets = (
        f"sum({q.in_reporting_currency('', q.total('currency', 'cloudspend_budget_spent'))})"
        f" / sum({q.in_reporting_currency('', LIMIT_OF_ALL)})"
    )
    panel = by_currency(stats(
        "All in the reporting currency",
        "Spent this month, the whole month as forecast and what that is against the previous month, over all currencies, converted with the exchange "
        "rates of the exporter's configuration; and what is spent of the sum of all budgets, whatever is chosen. A currency without a rate is left out: see No "
        f"rate at the right, and Money without a rate. {shared.OF_BILLED} {shared.EARLY}",
        [
            Query(spent, "spent {{to_currency}}"),
            Query(f"{expected} unless {early}", "forecast {{to_currency}}"),
            Query(f"{expected} and {early}", "early estimate {{to_currency}}"),
            Query(f"{expected} / on (to_currency) ({last} > 0) - 1", "to last month"),
            Query(of_budgets, "of all budgets"),
        ],
        no_value="no reporting currency set",
    ))
    panel.override_by_regexp("/early estimate/", [prop("color", {"mode": "fixed", "fixedColor": GREY})])
    panel.override_by_name("to last month", [prop("unit", "percentunit"), prop("decimals", 1), threshold_prop(*shared.CHANGE_STEPS)])
    panel.override_by_name("of all budgets", [prop("unit", "percentunit"), prop("decimals", 0), threshold_prop(*shared.USED_STEPS)])
    return panel


def by_account():
    """Every account with its money and its age."""
    by = "provider, account, currency"
    current = q.total(by, q.COST_MTD, q.MONEY)
    return tables.month_over_month(
        "By provider and account",
        "This month, our forecast and the previous month, with the age of what is shown and the share of it that is folded into other. An account that is "
        "withdrawn is under Missing from these sums.",
        by,
        [tables.provider_column(), Column("account", "Account", at_least=120), Column("currency", "Currency", width=75)],
        q.MONEY,
        raw_extra=[
            Query(f"{current} * 0 + {q.SAME_ACCOUNT} group_left () (time() - max by (provider, account) ({q.once(shared.OLDEST, q.ACCOUNT)}))"),
            Query(f"{current} * 0 + {q.SAME_ACCOUNT} group_left () max by (provider, account) ({q.once(shared.FOLDED, q.ACCOUNT)})"),
        ],
        extra_columns=[
            Column("Value #G", "Read", span=True, width=100, steps=shared.AGE_STEPS),
            Column("Value #H", "In other", unit="percentunit", decimals=1, width=80, steps=shared.FOLDED_STEPS),
        ],
    )


def products():
    """What products cost, with what the provider calls them."""
    by = "provider, product, currency"
    named = f'max by (provider, product, description) (cloudspend_product_info{{{q.ACCOUNT}, product=~"$product", description!=""}})'
    return tables.month_over_month(
        "Products",
        "What each product, catalog or category costs over all customers, with the provider's description where it has one.",
        by,
        [Column("product", "Product", at_least=180), tables.provider_column(), Column("currency", "Currency", width=75)],
        q.MONEY,
        raw_extra=[Query(f"{q.total(by, q.MTD, q.MONEY)} * 0 + on (provider, product) group_left (description) (topk by (provider, product) (1, {named}))")],
        extra_columns=[Column("description", "Description", at_least=50)],
    )


def build():
    """The dashboard."""
    lines = [
        (5, [
            (8, in_one_currency()),
            (4, shared.spent_this_month(q.MONEY)),
            (4, shared.against_last_month(q.MONEY)),
            (8, shared.trust(q.MONEY)),
        ]),
        (8, [
            (10, firing()),
            (7, bars(
                "Budgets",
                "What is spent of each budget's limit this month, and from the third day on what the forecast makes of it; the four fullest of those that "
                "may match what is chosen. A name "
                "with ! is of a budget that misses something: a part that failed, or money without an exchange rate.",
                [
                    Query(f"topk(4, {of_chosen(SPENT_RATIO, NAMES)} unless on (budget) {INCOMPLETE})", "{{budget}} spent"),
                    Query(f"topk(4, {of_chosen(SPENT_RATIO, NAMES)} and on (budget) {INCOMPLETE})", "! {{budget}} spent"),
                    Query(f"topk(4, {of_chosen(FORECAST_RATIO, NAMES)})", "{{budget}} forecast"),
                ],
                unit="percentunit", steps=shared.USED_STEPS, maximum=1.5, no_value="no budgets configured", long_names=True,
            )),
            (7, shared.missing(q.MONEY)),
        ]),
        (9, [
            (14, tables.moved(q.MONEY)),
            (10, tables.unusual(q.MONEY)),
        ]),
        (8, [(24, by_account())]),
        (9, [
            (24, shared.days("Spend by day, $currency", Query(q.spend_of_day("provider, currency", q.MONEY), "{{provider}} {{currency}}"),
                             "What each provider cost on each day.")),
        ]),
        (8, [
            (24, shared.month_to_date(q.MONEY)),
        ]),
        "Customers and products",
        (10, [
            (24, tables.month_over_month(
                "Customers", "What each customer costs over all providers, and its share of all in that currency. A customer opens its own dashboard; the "
                "table is a CSV by Inspect, Data. By day: what each of the last 30 days cost.",
                "customer, currency", [tables.customer_column(), Column("currency", "Currency", width=75)], q.MONEY, share=True, trend=True,
            )),
        ]),
        (10, [(24, products())]),
        "Where the numbers come from",
        (8, [
            (12, freshness()),
            (6, by_currency(share(
                "Share by provider",
                "Month to date in the reporting currency. What has no exchange rate is not in it.",
                [Query(f"sort_desc({q.converted('provider', q.COST_MTD, q.MONEY)} > 0)", "{{provider}} {{to_currency}}")],
                no_value="no reporting currency set",
            ))),
            (6, grid(
                "Money without a rate",
                "Month to date in currencies that have no exchange rate in the configuration: sums in the reporting currency, and "
                "budgets in another currency, leave it out. Empty is good.",
                [Query(q.without_rate("provider, account, currency", q.MONEY))],
                [Column("account", "Account"), Column("currency", "Currency", width=75), money_column("Value", "This month")],
                no_value="none: every currency has a rate",
            )),
        ]),
    ]
    return board(
        "overview", "Overview",
        "What is spent this month, against what, who moved, and whether the numbers can be trusted.",
        NAMES, lines, has_costs=True, can_be_recorded=True,
    )


def freshness():
    """How fresh each account is."""
    success = q.once("cloudspend_poll_success", q.ACCOUNT)
    return grid(
        "Freshness by account",
        "Whether the last poll wholly succeeded, how long ago everything that is shown was read, how far the data reaches, "
        "how many parts fail, and how many with money do not report this month or the previous month. A part that fails keeps its "
        "last good values; a month that is not reported is missing from sums.",
        [
            Query(f"max by (provider, account) ({success})"),
            Query(f"time() - max by (provider, account) ({q.once(shared.OLDEST, q.ACCOUNT)})"),
            Query(f"time() - max by (provider, account) ({q.once(shared.DATA, q.ACCOUNT)})"),
            Query(f"max by (provider, account) ({q.once('cloudspend_failing_parts', q.ACCOUNT)})"),
            Query(shared.withheld("provider, account")),
        ],
        [
            Column("account", "Account", at_least=120, link=link_to("exporter-health", "provider", account="${__value.raw:percentencode}"),
                   link_title="Open exporter health"),
            Column("Value #A", "Poll", unit="none", width=70, steps=(RED, (1, GREEN)),
                   mappings=said([(0, "failing", RED), (1, "ok", GREEN)])),
            Column("Value #B", "Read", span=True, width=95, steps=shared.AGE_STEPS),
            Column("Value #C", "Data", span=True, width=95, steps=shared.DATA_AGE_STEPS),
            Column("Value #D", "Failing", unit="none", width=65, steps=(GREEN, (1, YELLOW))),
            Column("Value #E", "Withheld", unit="none", width=75, steps=(GREEN, (1, YELLOW))),
        ],
        sort=[("Poll", False), ("Read", True)],
    )
