"""One customer over all providers: projects, products, days, licences that nobody uses."""

from . import promql as q
from . import shared
from .board import board, link_to
from .licences import BOUGHT, UNUSED, seats
from .panels import GREEN, GREY, RED, YELLOW, Column, Query, by_currency, grid, history, prop

NAMES = ["provider", "account", "customer", "project", "product", "currency"]
MONEY = q.ONE_CUSTOMERS_MONEY


def costs(title, label, heading, description):
    """This month, forecast, previous month and movement by one label."""
    by = f"provider, {label}, currency"
    return grid(
        title,
        f"{description} 7 days: the last 7 days less the 7 before. A row called other holds what is folded; an empty name is one "
        "that the provider does not give.",
        [
            Query(q.total(by, q.MTD, MONEY)),
            Query(q.total(by, q.FORECAST, MONEY)),
            Query(q.total(by, q.PREVIOUS_MONTH, MONEY)),
            Query(q.change(by, MONEY, "7d")),
        ],
        [
            Column(label, heading),
            Column("provider", "Provider", width=110, link=link_to("provider", "account", "currency", provider="${__value.raw:percentencode}"),
                   link_title="Open this provider"),
            Column("currency", "Currency", width=80),
            Column("Value #A", "This month", unit="locale", decimals=0, width=105),
            Column("Value #B", "Forecast", unit="locale", decimals=0, width=90),
            Column("Value #C", "Last month", unit="locale", decimals=0, width=90),
            Column("Value #D", "7 days", unit="locale", decimals=0, width=80, steps=(GREEN, (-0.5, GREY), (0.5, RED))),
        ],
        sort=[("This month", True)],
        no_value="–",
    )


def build():
    """The dashboard."""
    lines = [
        (5, [
            (5, shared.spent_this_month(MONEY)),
            (4, shared.whole_month(MONEY)),
            (4, shared.last_month(MONEY)),
            (4, shared.against_last_month(MONEY)),
            (7, shared.trust(MONEY)),
        ]),
        (8, [
            (12, costs("Projects", "project", "Project", "What each project or subscription of the customer costs.")),
            (12, costs("Products", "product", "Product", "What each product, catalog or category costs.")),
        ]),
        (9, [(24, shared.days("Spend by day, $currency", "product, currency", "{{product}} {{currency}}", MONEY,
                              "What the customer's products cost on each day, the eight largest apart.", largest=8))]),
        (8, [(24, shared.month_to_date(MONEY))]),
        "Licences and quantities",
        (8, [
            (12, grid(
                "Licences",
                "Seats that the customer bought, assigned to users, and pays for without use.",
                [
                    Query(seats(BOUGHT, "product", q.ONE_CUSTOMER)),
                    Query(seats("cloudspend_license_assigned_seats", "product", q.ONE_CUSTOMER)),
                    Query(seats(UNUSED, "product", q.ONE_CUSTOMER)),
                    Query(f"{seats(UNUSED, 'product', q.ONE_CUSTOMER)} / on (product) ({seats(BOUGHT, 'product', q.ONE_CUSTOMER)} > 0)"),
                ],
                [
                    Column("product", "Licence"),
                    Column("Value #A", "Bought", unit="locale", decimals=0, width=90),
                    Column("Value #B", "Assigned", unit="locale", decimals=0, width=90),
                    Column("Value #C", "Unused", unit="locale", decimals=0, width=90, steps=(GREEN, (1, YELLOW))),
                    Column("Value #D", "Unused share", unit="percentunit", decimals=0, width=110),
                ],
                sort=[("Unused", True)],
                no_value="no licences of this customer",
            )),
            (12, grid(
                "Quantities this month",
                "What the customer consumed, in the provider's own units.",
                [
                    Query(q.total("provider, product, unit", "cloudspend_consumed_quantity_month_to_date", q.ONE_CUSTOMER)),
                    Query(q.total("provider, product, unit", "cloudspend_consumed_quantity_previous_month", q.ONE_CUSTOMER)),
                ],
                [
                    Column("product", "Product"), Column("provider", "Provider"), Column("unit", "Unit", width=100),
                    Column("Value #A", "This month", unit="locale", decimals=1),
                    Column("Value #B", "Last month", unit="locale", decimals=1),
                ],
                sort=[("Product", False)],
                no_value="no quantities of this customer",
            )),
        ]),
    ]
    return board(
        "customer", "Customer", "One customer over all providers: projects, products, days and unused licences.",
        NAMES, lines, one_customer=True,
    )
