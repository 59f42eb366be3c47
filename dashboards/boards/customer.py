"""One customer over all providers: projects, products, days, licences that nobody uses."""

from . import promql as q
from . import shared, tables
from .board import board
from .budgets import FORECAST_RATIO, NAMES_CUSTOMER, SPENT_RATIO
from .licences import BOUGHT, UNUSED, seats
from .panels import GREEN, YELLOW, Column, Query, bars, grid

NAMES = ["provider", "account", "customer", "project", "product", "currency"]
MONEY = q.ONE_CUSTOMERS_MONEY


def costs(title, label, heading, description):
    """This month, forecast, previous month and movement by one label."""
    by = f"provider, {label}, currency"
    return tables.month_over_month(
        title,
        f"{description} 24 h: the last 24 hours less the same 24 hours a week before. A row called other holds what is folded; an empty name is one "
        "that the provider does not give.",
        by,
        [Column(label, heading, at_least=180), tables.provider_column(), Column("currency", "Currency", width=75)],
        MONEY,
        raw_extra=[Query(tables.against_week_before(by, MONEY))],
        extra_columns=[Column("Value #G", "24 h", unit="locale", decimals=0, width=80, steps=shared.MOVE_STEPS)],
    )


def licences():
    """Seats of the customer."""
    unused, bought = seats(UNUSED, "product", q.ONE_CUSTOMER), seats(BOUGHT, "product", q.ONE_CUSTOMER)
    return grid(
        "Licences",
        "Seats that the customer bought, assigned to users, and pays for without use.",
        [
            Query(bought),
            Query(seats("cloudspend_license_assigned_seats", "product", q.ONE_CUSTOMER)),
            Query(unused),
            Query(f"{unused} / on (product) ({bought} > 0)"),
        ],
        [
            Column("product", "Licence", at_least=140),
            Column("Value #A", "Bought", unit="locale", decimals=0, width=65),
            Column("Value #B", "Assigned", unit="locale", decimals=0, width=75),
            Column("Value #C", "Unused", unit="locale", decimals=0, width=80, steps=(GREEN, (1, YELLOW))),
            Column("Value #D", "Unused %", unit="percentunit", decimals=0, width=78),
        ],
        sort=[("Unused", True)],
        no_value="no licences of this customer",
    )


def budgets_of_customer():
    """The budgets that name the customer."""
    return bars(
        "Budgets of $customer",
        "What is spent of the limit of each budget that matches this customer and no other by name, and from the third day of the month on what the forecast "
        "makes of it. Budgets over several customers are on the dashboard Budgets.",
        [
            Query(f"{SPENT_RATIO} {NAMES_CUSTOMER}", "{{budget}} spent"),
            Query(f"{FORECAST_RATIO} {NAMES_CUSTOMER}", "{{budget}} forecast"),
        ],
        unit="percentunit", steps=shared.USED_STEPS, maximum=1.5, no_value="no budget names this customer", long_names=True,
    )


def quantities():
    """What the customer consumed."""
    by = "provider, product, unit"
    return grid(
        "Quantities this month",
        "What the customer consumed, in the provider's own units.",
        [
            Query(q.total(by, q.QUANTITY, q.ONE_CUSTOMER)),
            Query(q.total(by, "cloudspend_consumed_quantity_previous_month", q.ONE_CUSTOMER)),
        ],
        [
            Column("product", "Product", at_least=180), Column("unit", "Unit", width=80),
            Column("Value #A", "This month", unit="locale", decimals=1, width=100),
            Column("Value #B", "Last month", unit="locale", decimals=1, width=100),
        ],
        sort=[("Product", False)],
        no_value="no quantities of this customer",
    )


def build():
    """The dashboard."""
    lines = [
        (5, [
            (4, shared.spent_this_month(MONEY)),
            (4, shared.whole_month(MONEY)),
            (4, shared.last_month(MONEY)),
            (4, shared.against_last_month(MONEY)),
            (8, shared.trust(MONEY, q.ONE_CUSTOMER)),
        ]),
        (8, [
            (24, costs("Products", "product", "Product", "What each product, catalog or category costs.")),
        ]),
        (7, [(10, licences()), (6, budgets_of_customer()), (8, shared.missing(MONEY))]),
        (8, [(24, costs("Projects", "project", "Project", "What each project or subscription of the customer costs."))]),
        (9, [(24, shared.days_by_product("Spend by day, $currency", MONEY, "What the customer's products cost on each day"))]),
        (8, [(24, shared.month_to_date(MONEY, bounds=False))]),
        "Discounts and commitments",
        (8, [(24, tables.costs(
            "Costs by product", "The four costs of each product.", "account, product, currency",
            [Column("product", "Product", at_least=150), Column("account", "Account", width=120), Column("currency", "Currency", width=75)], MONEY,
        ))]),
        "Quantities, and rows without a cost",
        (8, [(14, quantities()), (10, tables.rows_without_cost())]),
    ]
    return board(
        "customer", "Customer", "One customer over all providers: projects, products, days and unused licences.",
        NAMES, lines, one_customer=True, has_costs=True, restated=MONEY,
    )
