"""Overview: how much, against what, who moved, can I trust it."""

from . import promql as q
from . import shared
from .board import board, link_to
from .panels import GREY, GREEN, RED, YELLOW, Column, Query, bars, by_currency, grid, said, share, stats
from .budgets import FORECAST_RATIO, INCOMPLETE, SPENT_RATIO

NAMES = ["provider", "account", "customer", "project", "product", "currency"]
CARRIED = ("provider", "account", "currency")


def in_one_currency():
    return by_currency(stats(
        "All in the reporting currency",
        "Spent this month, our forecast of the whole month and the month before over all currencies, converted with the exchange "
        "rates of the exporter's configuration. A currency without a rate is left out: see No rate at the right, and Money without a rate.",
        [
            Query(q.converted("", q.MTD, q.MONEY), "spent {{to_currency}}"),
            Query(q.converted("", q.FORECAST, q.MONEY), "forecast {{to_currency}}"),
            Query(q.converted("", q.PREVIOUS_MONTH, q.MONEY), "last month {{to_currency}}"),
        ],
        no_value="no reporting currency set",
    ))


def moved(title, window, description):
    return grid(
        title,
        f"{description} The six customers that moved most, each in its own currency; ranked by their worth in the reporting "
        "currency where there is one. Red: costs more. A customer opens its own dashboard.",
        [
            Query(q.change("customer, currency", q.MONEY, window)),
            Query(q.weight("customer, currency", q.MONEY, window)),
        ],
        [
            Column("customer", "Customer", link=link_to("customer", *CARRIED, customer="${__value.raw:percentencode}"),
                   link_title="Open this customer"),
            Column("currency", "Currency", width=80),
            Column("Value #A", "Change", unit="locale", decimals=0, width=100, steps=(GREEN, (-0.5, GREY), (0.5, RED))),
        ],
        rank=("Value #B", 6),
        sort=[("Change", True)],
        no_value="no values that long ago",
    )


def by_account():
    by = "provider, account, currency"
    return grid(
        "By provider and account",
        "This month, our forecast and the month before, with the age of what is shown and the share of it that is folded into "
        "other. An account that is stale or withdrawn is told by Read.",
        [
            Query(q.total(by, q.MTD, q.MONEY)),
            Query(q.total(by, q.FORECAST, q.MONEY)),
            Query(q.total(by, q.PREVIOUS_MONTH, q.MONEY)),
            Query(shared.forecast_over_last_month(by, q.MONEY)),
            Query(f"{q.total(by, q.MTD, q.MONEY)} * 0 + {q.SAME_ACCOUNT} group_left () "
                  f"(time() - max by (provider, account) ({q.once(shared.OLDEST, q.ACCOUNT)}))"),
            Query(f"{q.total(by, q.MTD, q.MONEY)} * 0 + {q.SAME_ACCOUNT} group_left () "
                  f"max by (provider, account) ({q.once(shared.FOLDED, q.ACCOUNT)})"),
        ],
        [
            Column("provider", "Provider", width=120,
                   link=link_to("provider", "account", "currency", provider="${__value.raw:percentencode}"),
                   link_title="Open this provider"),
            Column("account", "Account"),
            Column("currency", "Currency", width=85),
            Column("Value #A", "This month", unit="locale", decimals=0),
            Column("Value #B", "Forecast", unit="locale", decimals=0),
            Column("Value #C", "Last month", unit="locale", decimals=0),
            Column("Value #D", "To last month", unit="percentunit", decimals=1, width=120, steps=shared.CHANGE_STEPS),
            Column("Value #E", "Read", unit="s", decimals=0, width=90, steps=shared.AGE_STEPS),
            Column("Value #F", "In other", unit="percentunit", decimals=1, width=85, steps=shared.FOLDED_STEPS),
        ],
        sort=[("Currency", False), ("This month", True)],
    )


def build():
    """The dashboard."""
    lines = [
        (5, [
            (6, in_one_currency()),
            (5, shared.spent_this_month(q.MONEY)),
            (5, shared.against_last_month(q.MONEY)),
            (8, shared.trust(q.MONEY)),
        ]),
        (8, [
            (8, bars(
                "Budgets",
                "What is spent of each budget's limit this month, and what the forecast makes of it; the eight fullest. A name "
                "with ! is of a budget that misses something: a part that failed, or money without an exchange rate.",
                [
                    Query(f"topk(8, {SPENT_RATIO} unless on (budget) {INCOMPLETE})", "{{budget}} spent"),
                    Query(f"topk(8, {SPENT_RATIO} and on (budget) {INCOMPLETE})", "! {{budget}} spent"),
                    Query(f"topk(8, {FORECAST_RATIO})", "{{budget}} forecast"),
                ],
                unit="percentunit", steps=shared.USED_STEPS, maximum=1.2, no_value="no budgets configured",
            )),
            (8, moved("Moved most since yesterday", "1d", "What was spent in the last 24 hours less what was spent in the 24 before.")),
            (8, moved("Moved most since last week", "7d", "What was spent in the last 7 days less what was spent in the 7 before.")),
        ]),
        (8, [
            (16, by_account()),
            (8, by_currency(share(
                "Share by provider",
                "Month to date in the reporting currency. What has no exchange rate is not in it.",
                [Query(f"sort_desc({q.converted('provider', q.MTD, q.MONEY)} > 0)", "{{provider}} {{to_currency}}")],
                no_value="no reporting currency set",
            ))),
        ]),
        (9, [
            (24, shared.days("Spend by day, $currency", "provider, currency", "{{provider}} {{currency}}", q.MONEY,
                             "What each provider cost on each day.")),
        ]),
        (8, [
            (24, shared.month_to_date(q.MONEY)),
        ]),
        "Where the numbers come from",
        (8, [
            (11, freshness()),
            (5, grid(
                "Money without a rate",
                "Month to date in currencies that have no exchange rate in the configuration: sums in the reporting currency, and "
                "budgets in another currency, leave it out. Empty is good.",
                [Query(q.without_rate("provider, account, currency", q.MONEY))],
                [Column("account", "Account"), Column("currency", "Currency"),
                 Column("Value", "This month", unit="locale", decimals=2)],
                no_value="none: every currency has a rate",
            )),
            (8, firing()),
        ]),
    ]
    return board(
        "overview", "Overview",
        "What is spent this month, against what, who moved, and whether the numbers can be trusted.",
        NAMES, lines,
    )


def firing():
    """The alerts that fire, each in one line."""
    alerts = ('max by (alertname, severity, budget, account, customer) '
              '(ALERTS{alertname=~"CloudSpend.*", alertstate="firing"})')
    named = f'label_replace({alerts}, "alert", "$1", "alertname", "CloudSpend(.+)")'
    return grid(
        "Alerts that fire",
        "The alerts of this project's rules that fire now, and what each is about: a budget, an account, a customer. Empty is good, if "
        "the rules are loaded.",
        [Query(f'label_join({named}, "about", " ", "budget", "account", "customer")')],
        [
            Column("severity", "Severity", width=85),
            Column("alert", "Alert", width=135),
            Column("about", "About"),
        ],
        sort=[("Severity", False), ("Alert", False)],
        no_value="none",
    )


def freshness():
    """How fresh each account is."""
    success = q.once("cloudspend_poll_success", q.ACCOUNT)
    return grid(
        "Freshness by account",
        "Whether the last poll wholly succeeded, how long ago everything that is shown was read, how far the data reaches, "
        "how many parts fail, and how many with money do not report this month or the month before. A part that fails keeps its "
        "last good values; a month that is not reported is missing from sums.",
        [
            Query(success.replace("max without (instance, pod)", "max by (provider, account)")),
            Query(f"time() - max by (provider, account) ({q.once(shared.OLDEST, q.ACCOUNT)})"),
            Query(f"time() - max by (provider, account) ({q.once(shared.DATA, q.ACCOUNT)})"),
            Query(f"max by (provider, account) ({q.once('cloudspend_failing_parts', q.ACCOUNT)})"),
            Query(shared.withheld("provider, account")),
        ],
        [
            Column("provider", "Provider"),
            Column("account", "Account", link=link_to("exporter-health", "provider", account="${__value.raw:percentencode}"),
                   link_title="Open exporter health"),
            Column("Value #A", "Poll", unit="none", width=80, steps=(RED, (1, GREEN)),
                   mappings=said([(0, "failing", RED), (1, "ok", GREEN)])),
            Column("Value #B", "Read", unit="s", decimals=0, width=90, steps=shared.AGE_STEPS),
            Column("Value #C", "Data", unit="s", decimals=0, width=90, steps=shared.DATA_AGE_STEPS),
            Column("Value #D", "Failing", unit="none", width=75, steps=(GREEN, (1, YELLOW))),
            Column("Value #E", "Withheld", unit="none", width=85, steps=(GREEN, (1, YELLOW))),
        ],
        sort=[("Poll", False), ("Read", True)],
    )
