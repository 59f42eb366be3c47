"""A provider from close by: projects, products, quantities, unit cost, and how good its forecasts are."""

from grafana_foundation_sdk.builders import common
from grafana_foundation_sdk.models import common as common_model

from . import promql as q
from . import shared
from .board import board
from .panels import GREEN, GREY, RED, Column, Query, by_currency, grid, history, prop

NAMES = ["provider", "account", "customer", "project", "product", "currency"]
QUANTITY = "cloudspend_consumed_quantity_month_to_date"
PRODUCT = "provider, account, product"


def one_unit(select):
    """Quantities this month of products that have one unit; amounts of two units make no unit cost."""
    amounts = q.total(f"{PRODUCT}, unit", QUANTITY, select)
    return f"(({amounts} > 0) and on ({PRODUCT}) (count by ({PRODUCT}) ({amounts}) == 1))"


def unit_cost(money, amounts):
    """What one unit of a product costs this month."""
    return f"{q.total(f'{PRODUCT}, currency', q.MTD, money)} / on ({PRODUCT}) group_left (unit) {one_unit(amounts)}"


def forecasts_over_time():
    """Every forecast of the month as it stood, one panel for each chosen currency."""
    bounds = f'{q.ACCOUNT}, currency=~"$currency"'
    panel = by_currency(history(
        "Whole month, as it was forecast, $currency",
        "The exporter's forecast of the whole month, its bounds where there is enough daily history (thin), and the provider's own "
        "forecast (dashed). The flatter a line, the better it was.",
        [
            Query(q.total("account, currency", q.FORECAST, q.MONEY), "{{account}} {{currency}}"),
            Query(q.total("account, currency", "cloudspend_provider_forecast_cost_month_end", q.MONEY),
                  "{{account}} by the provider {{currency}}"),
            Query(q.total("account, currency", "cloudspend_account_forecast_cost_month_end_lower", bounds),
                  "{{account}} lower {{currency}}"),
            Query(q.total("account, currency", "cloudspend_account_forecast_cost_month_end_upper", bounds),
                  "{{account}} upper {{currency}}"),
        ],
    ))
    panel.override_by_regexp("/ by the provider /", [prop("custom.lineStyle", {"fill": "dash", "dash": [6, 6]})])
    panel.override_by_regexp("/ (lower|upper) /", [prop("custom.lineWidth", 1)])
    return panel.repeat("currency").repeat_direction("h").max_per_row(3)


def build():
    """The dashboard."""
    by = "account, project, currency"
    product = f"{PRODUCT}, currency"
    cost = unit_cost(q.MONEY, q.SEATS)
    forecasts = "provider, account, currency"
    # At the end of the time range, so that a line does not come and go as products overtake each other.
    measured = f"max without (instance, pod) ({QUANTITY}{{{q.SEATS}}} @ end())"
    dearest = (f"topk(8, sum by ({product}) (max without (instance, pod) ({q.MTD}{{{q.MONEY}}} @ end()) "
               f"and on ({PRODUCT}) {measured}))")
    lines = [
        (5, [
            (6, shared.spent_this_month(q.MONEY)),
            (6, shared.whole_month(q.MONEY)),
            (5, shared.against_last_month(q.MONEY)),
            (7, shared.trust(q.MONEY)),
        ]),
        (9, [
            (12, grid(
                "Projects",
                "What each project or subscription costs. 7 days: the last 7 days less the 7 before. A row called other holds what "
                "is folded; an empty name is one that the provider does not give.",
                [
                    Query(q.total(by, q.MTD, q.MONEY)), Query(q.total(by, q.FORECAST, q.MONEY)),
                    Query(q.total(by, q.PREVIOUS_MONTH, q.MONEY)), Query(q.change(by, q.MONEY, "7d")),
                ],
                [
                    Column("project", "Project"), Column("account", "Account", width=115), Column("currency", "Currency", width=80),
                    Column("Value #A", "This month", unit="locale", decimals=0, width=105),
                    Column("Value #B", "Forecast", unit="locale", decimals=0, width=90),
                    Column("Value #C", "Last month", unit="locale", decimals=0, width=90),
                    Column("Value #D", "7 days", unit="locale", decimals=0, width=75,
                           steps=(GREEN, (-0.5, GREY), (0.5, RED))),
                ],
                sort=[("This month", True)],
            )),
            (12, grid(
                "Products and unit cost",
                "What each product costs, how much of it was consumed, and what one unit cost this month. Unit cost is given where a "
                "product has money and quantities in one unit.",
                [
                    Query(q.total(product, q.MTD, q.MONEY)),
                    Query(f"{q.total(product, q.MTD, q.MONEY)} * 0 + on ({PRODUCT}) group_left (unit) {one_unit(q.SEATS)}"),
                    Query(cost),
                    Query(q.total(product, q.PREVIOUS_MONTH, q.MONEY)),
                ],
                [
                    Column("product", "Product"), Column("account", "Account", width=115),
                    Column("Value #A", "This month", unit="locale", decimals=0, width=105),
                    Column("currency", "Currency", width=80),
                    Column("Value #B", "Quantity", unit="locale", decimals=0, width=80),
                    Column("unit", "Unit", width=75),
                    Column("Value #C", "Unit cost", unit="locale", decimals=4, width=80),
                    Column("Value #D", "Last month", unit="locale", decimals=0, width=90),
                ],
                sort=[("This month", True)],
            )),
        ]),
        (9, [(24, shared.days("Spend by day and product, $currency", "product, currency", "{{product}} {{currency}}", q.MONEY,
                              "What each product cost on each day, the eight largest apart.", largest=8))]),
        (9, [
            (12, by_currency(history(
                "Unit cost of the eight dearest products",
                "What one unit of a product cost from the start of the month on: a step is a change of price, of discount, or of the mix "
                "within the product. The eight with the most money this month.",
                [Query(f"({cost}) and on ({product}) {dearest}",
                       "{{product}} per {{unit}} {{currency}}")],
                unit="locale",
            ))),
            (12, by_currency(history(
                "Cost before discounts and billed cost, by account",
                "Month to date at list price and as billed, where the provider tells both.",
                [
                    Query(q.total("account, currency", "cloudspend_list_cost_month_to_date", q.MONEY), "{{account}} list {{currency}}"),
                    Query(f"{q.total('account, currency', q.MTD, q.MONEY)} and on (account) {q.once('cloudspend_list_cost_month_to_date', q.MONEY)}",
                          "{{account}} billed {{currency}}"),
                ],
                no_value="no list cost from this provider",
            ))),
        ]),
        "Quantities",
        (9, [
            (12, history(
                "Consumed by month to date",
                "The three largest amounts in each unit, in the provider's own units; the axis is logarithmic, since units differ by far. A saw tooth: it "
                "starts at 0 when the month turns.",
                [Query(f"{q.total('product, unit', QUANTITY, q.SEATS)} and topk by (unit) (3, sum by (product, unit) ({measured}))",
                       "{{product}} {{unit}}")],
                no_value="no quantities from this provider",
            ).scale_distribution(
                common.ScaleDistributionConfig().type(common_model.ScaleDistribution.SYMLOG).log(10).linear_threshold(1)
            )),
            (12, history(
                "Stored",
                "Levels: the newest reading of each resource, added by product, in the provider's own units. Choose a customer or project to see its own.",
                [Query(q.total("account, product, unit", "cloudspend_stored_quantity", q.SEATS), "{{account}} {{product}} {{unit}}")],
                no_value="no levels from this provider",
            )),
        ]),
        "Forecasts",
        (9, [(24, forecasts_over_time())]),
        (8, [
            (24, grid(
                "How good were they",
                "Error: last month's forecast, as it stood after its 15th day, against what the month became. The provider's own "
                "forecast and second estimate of this month stand beside ours.",
                [
                    Query(q.total(forecasts, q.FORECAST, q.MONEY)),
                    Query(q.total(forecasts, "cloudspend_provider_forecast_cost_month_end", q.MONEY)),
                    Query(q.total(forecasts, "cloudspend_provider_estimate_cost_month_end", q.MONEY)),
                    Query(f"max by ({forecasts}) ({q.once('cloudspend_forecast_error_ratio', q.ACCOUNT)})"),
                ],
                [
                    Column("account", "Account"), Column("currency", "Currency", width=80),
                    Column("Value #A", "Ours", unit="locale", decimals=0),
                    Column("Value #B", "Provider's", unit="locale", decimals=0),
                    Column("Value #C", "Estimate", unit="locale", decimals=0),
                    Column("Value #D", "Error last month", unit="percentunit", decimals=1),
                ],
                sort=[("Account", False)],
                            )),
        ]),
    ]
    return board(
        "provider", "Provider", "A provider from close by: projects, products, quantities and unit cost.", NAMES, lines,
    )
