"""A provider from close by: projects, products, quantities, unit cost, and how good its forecasts are."""

from grafana_foundation_sdk.builders import common
from grafana_foundation_sdk.models import common as common_model

from . import promql as q
from . import shared, tables
from .board import board
from .panels import Column, Query, by_currency, grid, history, money_column, prop, stats

NAMES = ["provider", "account", "customer", "project", "product", "currency"]
PRODUCT = "provider, account, product"
LIST = "cloudspend_list_cost_month_to_date"
# An account's own series have no customer, project or product: with one chosen they are gone.
OF_WHOLE_ACCOUNTS = q.MONEY


def one_unit(select):
    """Quantities this month of products that have one unit; amounts of two units make no unit cost."""
    amounts = q.total(f"{PRODUCT}, unit", q.QUANTITY, select)
    return f"(({amounts} > 0) and on ({PRODUCT}) (count by ({PRODUCT}) ({amounts}) == 1))"


def unit_cost(money, amounts):
    """What one unit of a product costs this month."""
    return f"{q.total(f'{PRODUCT}, currency', q.COST_MTD, money)} / on ({PRODUCT}) group_left (unit) {one_unit(amounts)}"


def unit_cost_of_dearest(most):
    """Unit cost over time, of the few products that cost most and have quantities.

    Which they are is found first, once, at the end of the time range, so that a line does not come and go as products overtake each other.
    """
    product = f"{PRODUCT}, currency"
    money = q.by_account_at_end(product, q.COST_MTD, q.MONEY)
    measured = q.by_account_at_end(f"{PRODUCT}, unit", q.QUANTITY, q.SEATS)
    dearest = f"topk({most}, {money} and on ({PRODUCT}) {measured})"
    return by_currency(history(
        "Unit cost of the eight dearest products",
        "What one unit of a product cost from the start of the month on: a step is a change of price, of discount, or of the mix "
        "within the product. The eight with the most money this month.",
        [Query(f"({unit_cost(q.MONEY, q.SEATS)}) and on ({product}) {dearest}", "{{product}} per {{unit}} {{currency}}")],
        interval="1d",
    ))


def forecasts_over_time():
    """Every forecast of the month as it stood, one panel for each chosen currency."""
    by = "account, currency"
    panel = by_currency(history(
        "Whole month, as it was forecast, $currency",
        "The exporter's forecast of the whole month from its third day on, its bounds where there is enough daily history and no customer, project or product is "
        "chosen (thin), and the provider's own forecast (dashed). The flatter a line, the better it was.",
        [
            Query(q.added(by, q.settled(q.by_account(by, q.FORECAST, q.MONEY))), "{{account}} {{currency}}"),
            Query(q.added(by, q.settled(q.by_account(by, "cloudspend_provider_forecast_cost_month_end", q.MONEY))),
                  "{{account}} by the provider {{currency}}"),
            Query(q.added(by, q.settled(q.by_account(by, "cloudspend_account_forecast_cost_month_end_lower", OF_WHOLE_ACCOUNTS))),
                  "{{account}} lower {{currency}}"),
            Query(q.added(by, q.settled(q.by_account(by, "cloudspend_account_forecast_cost_month_end_upper", OF_WHOLE_ACCOUNTS))),
                  "{{account}} upper {{currency}}"),
        ],
        interval="6h",
    ))
    panel.override_by_regexp("/ by the provider /", [prop("custom.lineStyle", {"fill": "dash", "dash": [6, 6]})])
    panel.override_by_regexp("/ (lower|upper) /", [prop("custom.lineWidth", 1)])
    return panel.repeat("currency").repeat_direction("h").max_per_row(3)


def projects():
    """What projects cost; the recorded sums by project have no product."""
    by = "account, project, currency"
    return tables.month_over_month(
        "Projects",
        "What each project or subscription costs. A row called other holds what is folded; an empty name is one that the provider does not give.",
        by,
        [Column("project", "Project", at_least=180), Column("account", "Account", width=130), Column("currency", "Currency", width=75)],
        q.MONEY,
        raw_extra=[Query(tables.against_week_before(by, q.MONEY))],
        extra_columns=[Column("Value #G", "24 h", unit="locale", decimals=0, width=80, steps=shared.MOVE_STEPS)],
    )


def products():
    """What products cost, and what a unit of them does."""
    product = f"{PRODUCT}, currency"
    current = q.total(product, q.COST_MTD, q.MONEY)
    named = f'topk by ({PRODUCT}) (1, max by ({PRODUCT}, description) (cloudspend_product_info{{{q.ACCOUNT}, product=~"$product", description!=""}}))'
    return grid(
        "Products and unit cost",
        "What each product costs, how much of it was consumed, and what one unit cost this month. Unit cost is given where a "
        "product has money and quantities in one unit.",
        [
            Query(current),
            Query(f"{current} * 0 + on ({PRODUCT}) group_left (unit) {one_unit(q.SEATS)}"),
            Query(unit_cost(q.MONEY, q.SEATS)),
            Query(q.total(product, q.COST_PREVIOUS_MONTH, q.MONEY)),
            Query(f"{current} * 0 + on ({PRODUCT}) group_left (description) ({named})"),
        ],
        [
            Column("product", "Product", at_least=180), Column("description", "Description", at_least=120), Column("account", "Account", width=125),
            Column("currency", "Currency", width=75),
            money_column("Value #A", "This month", width=110),
            money_column("Value #D", "Last month"),
            money_column("Value #B", "Quantity"),
            Column("unit", "Unit", width=75),
            money_column("Value #C", "Unit cost", decimals=4),
        ],
        sort=[("This month", True)],
    )


def discount():
    """What discounts take off the list cost, and what commitments make of the billed cost."""
    by = "account, currency"
    return grid(
        "Discount and commitments",
        "Discount: how far what is paid this month, effective cost or else billed cost, is below the list cost. Commitments: how far effective cost is above "
        "(+) or below (-) billed cost. Of accounts that report both; in money under Discounts and commitments.",
        [Query(tables.discount_ratio(by, q.MONEY)), Query(tables.commitment_ratio(by, q.MONEY))],
        [
            Column("account", "Account", at_least=150), Column("currency", "Currency", width=75),
            Column("Value #A", "Discount", unit="percentunit", decimals=1, width=95),
            Column("Value #B", "Commitments", unit="percentunit", decimals=1, width=110),
        ],
        sort=[("Account", False)],
    )


def discounts_and_commitments():
    """The four costs by account, customer and product."""
    account, customer = Column("account", "Account", at_least=115), Column("customer", "Customer", at_least=150)
    currency, product = Column("currency", "Currency", width=75), Column("product", "Product", at_least=150)
    return [
        (7, [(16, list_and_billed()), (8, tables.rows_without_cost())]),
        (7, [(24, tables.costs("Costs by account", "The four costs of each account.", "provider, account, currency", [account, currency], q.MONEY, with_rows=True))]),
        (8, [(24, tables.costs("Costs by customer", "The four costs of each customer.", "account, customer, currency", [customer, account, currency], q.MONEY))]),
        (8, [(24, tables.costs("Costs by product", "The four costs of each product.", "account, product, currency", [product, account, currency], q.MONEY))]),
    ]


def list_and_billed():
    """List cost and billed cost over time."""
    by = "account, currency"
    return by_currency(history(
        "Cost before discounts and billed cost, by account",
        "Month to date at list price and as billed, where the provider reports both.",
        [
            Query(q.total(by, LIST, q.MONEY), "{{account}} list {{currency}}"),
            Query(q.added(by, f"({q.by_account(by, q.MTD, q.MONEY)} and {q.SAME_ACCOUNT} {q.reports_cost('list')})"), "{{account}} billed {{currency}}"),
        ],
        interval="1d",
        no_value="no list cost from this provider",
    ))


def how_good():
    """Forecasts side by side, and the error of the last one."""
    by = "provider, account, currency"
    return grid(
        "How good were they",
        "Error: last month's forecast, as it stood after its 15th day, against what the month became; of whole accounts, so that it is gone where a customer, "
        "project or product is chosen. The provider's own forecast and second estimate of this month stand beside ours, from the third day on.",
        [
            Query(q.settled(q.total(by, q.FORECAST, q.MONEY))),
            Query(q.settled(q.total(by, "cloudspend_provider_forecast_cost_month_end", q.MONEY))),
            Query(q.settled(q.total(by, q.ESTIMATE, q.MONEY))),
            Query(f"max by ({by}) ({q.once('cloudspend_forecast_error_ratio', OF_WHOLE_ACCOUNTS)})"),
        ],
        [
            Column("account", "Account", at_least=180), Column("currency", "Currency", width=75),
            Column("Value #A", "Ours", unit="locale", decimals=0),
            Column("Value #B", "Provider's", unit="locale", decimals=0),
            Column("Value #C", "Estimate", unit="locale", decimals=0),
            Column("Value #D", "Error last month", unit="percentunit", decimals=1),
        ],
        sort=[("Account", False)],
    )


def quantities():
    """The largest amounts over time."""
    by = "product, unit"
    largest = q.added(by, q.by_account_at_end(by, q.QUANTITY, q.SEATS))
    return history(
        "Consumed by month to date",
        "The three largest amounts in each unit, in the provider's own units; the axis is logarithmic, since units differ by far. A saw tooth: it "
        "starts at 0 when the month turns.",
        [Query(f"{q.total(by, q.QUANTITY, q.SEATS)} and topk by (unit) (3, {largest})", "{{product}} {{unit}}")],
        interval="6h",
        no_value="no quantities from this provider",
    ).scale_distribution(
        common.ScaleDistributionConfig().type(common_model.ScaleDistribution.SYMLOG).log(10).linear_threshold(1)
    )


def build():
    """The dashboard."""
    lines = [
        (5, [
            (5, shared.spent_this_month(q.MONEY)),
            (6, shared.whole_month(q.MONEY)),
            (5, shared.against_last_month(q.MONEY)),
            (8, shared.trust(q.MONEY)),
        ]),
        (5, [(14, discount()), (10, shared.missing(q.MONEY))]),
        (9, [(24, projects())]),
        (9, [(24, products())]),
        (9, [(24, shared.days_by_product("Spend by day and product, $currency", q.MONEY, "What each product cost on each day"))]),
        (9, [(24, unit_cost_of_dearest(8))]),
        "Discounts and commitments",
        *discounts_and_commitments(),
        "Quantities",
        (9, [
            (12, quantities()),
            (12, history(
                "Stored",
                "Levels: the newest reading of each resource, added by product, in the provider's own units. Choose a customer or project to see its own.",
                [Query(q.total("account, product, unit", "cloudspend_stored_quantity", q.SEATS), "{{account}} {{product}} {{unit}}")],
                interval="6h",
                no_value="no levels from this provider",
            )),
        ]),
        "Forecasts",
        (9, [(24, forecasts_over_time())]),
        (8, [(24, how_good())]),
    ]
    return board(
        "provider", "Provider", "A provider from close by: projects, products, quantities and unit cost.", NAMES, lines,
        has_costs=True, can_be_recorded=True, recorded_by_project=("Projects",), restated=q.MONEY,
    )
