"""A dashboard: its variables, its links to the others, and panels laid out line by line."""

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as model

from . import promql
from .panels import DATASOURCE

TAG = "cloudspend"
# What every link between dashboards carries.
DATA_SOURCE_AND_TIME = "${datasource:queryparam}&${__url_time_range}"
LABELS = {
    "provider": ("Provider", "", "The interface that the money or the seats come from."),
    "account": ("Account", 'provider=~"$provider"', "A section of the exporter's configuration."),
    "customer": (
        "Customer",
        'provider=~"$provider", account=~"$account"',
        "A customer or contract, as the exporter shows it.",
    ),
    "project": (
        "Project",
        'provider=~"$provider", account=~"$account", customer=~"$customer"',
        "A project or subscription. Some providers have none: then the label is empty, and All shows it.",
    ),
    "product": (
        "Product",
        'provider=~"$provider", account=~"$account", customer=~"$customer", project=~"$project"',
        "A product, catalog, category or licence.",
    ),
    "currency": (
        "Currency",
        'provider=~"$provider", account=~"$account", customer=~"$customer"',
        "Currencies are never added to each other.",
    ),
    "budget": (
        "Budget",
        'provider=~"$provider|", account=~"$account|", customer=~"$customer|"',
        "A budget of the exporter's configuration; without those of which another account or customer is the only one.",
    ),
}
# Families whose labels fill the lists; a customer may have licences and no money, or quantities and no money.
EVERYTHING = (
    "cloudspend_billed_cost_month_to_date|cloudspend_consumed_quantity_month_to_date|cloudspend_license_seats"
)
SOURCES = {
    "provider": "cloudspend_poll_success",
    "account": "cloudspend_poll_success",
    "currency": "cloudspend_billed_cost_month_to_date",
    "budget": "cloudspend_budget_match_info",
}


def _query(name, names, one_customer):
    _, select, _ = LABELS[name]
    if "customer" not in names:
        select = select.replace(', customer=~"$customer"', "")
    if one_customer:
        select = select.replace('customer=~"$customer"', 'customer="$customer"')
    if name in SOURCES:
        metric = f"{SOURCES[name]}{{{select}}}" if select else SOURCES[name]
    else:
        metric = f'{{__name__=~"{EVERYTHING}", {select}}}'
    return f"label_values({metric}, {name})"


def variables(names, one_customer=False):
    """The data source, then one variable for each label; each list depends on the choices before it."""
    found = [
        dashboard.DatasourceVariable("datasource")
        .label("Data source")
        .description("The Prometheus that scrapes the exporter.")
        .type("prometheus")
        .current(model.VariableOption(selected=True, text="default", value="default"))
    ]
    for name in names:
        label, _, description = LABELS[name]
        query = _query(name, names, one_customer)
        variable = (
            dashboard.QueryVariable(name)
            .label(label)
            .description(description)
            .datasource(DATASOURCE)
            .query(query)
            .definition(query)
            .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(model.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
        )
        if name == "customer" and one_customer:
            variable = variable.multi(False).include_all(False)
        else:
            # `.*` and not a list of the values: a series may have no project, and a list may grow too long.
            variable = (
                variable.multi(True)
                .include_all(True)
                .all_value(".*")
                .current(model.VariableOption(selected=True, text=["All"], value=["$__all"]))
            )
        found.append(variable)
    return found


def source():
    """Whether sums are made of the exporter's series or of what the recording rules made of them: `_` or `:` in the metrics' names."""
    return (
        dashboard.CustomVariable("source")
        .label("Source")
        .description(
            "Raw: the exporter's own series, which work without rules and over backfilled history. Recorded: the sums of the recording rules, several times "
            "faster with thousands of label sets; of billed cost. They have no project, and those of the table of projects no product: with one chosen, use raw."
        )
        .values("raw : _, recorded : :")
        .options([
            model.VariableOption(selected=True, text="raw", value="_"),
            model.VariableOption(selected=False, text="recorded", value=":"),
        ])
        .current(model.VariableOption(selected=True, text="raw", value="_"))
        .multi(False)
        .include_all(False)
    )


def cost():
    """Which cost of accounts that report several is shown: a part of the metrics' names."""
    options = [("billed", "billed_only"), ("effective", "effective"), ("list", "list"), ("contracted", "contracted")]
    return (
        dashboard.CustomVariable("cost")
        .label("Cost")
        .description(
            "Billed: what is invoiced. Effective: commitments spread over what they cover. List: before discounts. Contracted: at contract prices, before "
            "commitments. Of accounts that report the chosen cost; the others keep billed cost. Forecasts and budgets are of billed cost."
        )
        .values(", ".join(f"{text} : {value}" for text, value in options))
        .options([model.VariableOption(selected=at == 0, text=text, value=value) for at, (text, value) in enumerate(options)])
        .current(model.VariableOption(selected=True, text="billed", value="billed_only"))
        .multi(False)
        .include_all(False)
    )


def _of_source(built, by_project):
    """Lets the panels of a dashboard use what is recorded, some of them by project."""
    for panel in built.panels:
        for target in getattr(panel, "targets", None) or []:
            if panel.title in by_project:
                target.expr = promql.recordable_by_project(target.expr)
                continue
            for metric in promql.RECORDED:
                target.expr = target.expr.replace(metric, promql.recordable(metric))
    return built


def restatements(select):
    """Corrections of the closed month as marks over the time axes."""
    changed = promql.total("account, currency", "cloudspend_restated_cost_previous_month", select)
    before = promql.total("account, currency", "cloudspend_restated_cost_previous_month", select, "6h")
    return (
        dashboard.AnnotationQuery()
        .name("Restatements")
        .datasource(DATASOURCE)
        .enable(True)
        .hide(False)
        .icon_color("purple")
        .expr(f"(({changed}) - ({before})) != 0")
        .step("6h")
        .title_format("Last month restated, {{account}} {{currency}}")
        .text_format("{{account}} {{currency}}")
        .tag_keys("account")
    )


def alerts():
    """Our alerts as marks over the time axes."""
    return (
        dashboard.AnnotationQuery()
        .name("Alerts")
        .datasource(DATASOURCE)
        .enable(True)
        .hide(False)
        .icon_color("red")
        .expr('max by (alertname, severity, budget, account, customer) (ALERTS{alertname=~"CloudSpend.*", alertstate="firing"})')
        .step("1h")
        .title_format("{{alertname}} ({{severity}})")
        .text_format("{{budget}} {{account}} {{customer}}")
        .tag_keys("severity")
    )


def quick_ranges():
    """The ranges that people ask for, at one click."""
    ranges = [("Last 7 days", "now-7d", "now"), ("Last 30 days", "now-30d", "now"), ("This month", "now/M", "now"),
              ("Last month", "now-1M/M", "now-1M/M"), ("Last 90 days", "now-90d", "now")]
    return dashboard.TimePicker().quick_ranges(
        [dashboard.TimeOption().display(display).from_val(start).to(end) for display, start, end in ranges]
    )


def board(uid, title, description, names, lines, *, time_from="now-30d", one_customer=False, has_costs=False, can_be_recorded=False,
          recorded_by_project=(), restated=""):
    """A dashboard of lines, each a height and its panels with their widths, which add up to 24 at most.

    A line that is a text starts a row with that title.
    """
    built = (
        dashboard.Dashboard(f"Cloud spend / {title}")
        .uid(f"cloudspend-{uid}")
        .description(description)
        .tags([TAG])
        .readonly()
        .timezone("browser")
        .time(time_from, "now")
        .refresh("5m")
        .timepicker(quick_ranges())
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .variables(variables(names, one_customer) + ([cost()] if has_costs else []) + ([source()] if can_be_recorded else []))
        .annotation(alerts())
        .links(
            [
                dashboard.DashboardLink("Cloud spend")
                .type(model.DashboardLinkType.DASHBOARDS)
                .icon("external link")
                .tooltip("The other dashboards, with the same choices and time range")
                .tags([TAG])
                .as_dropdown(False)
                .include_vars(True)
                .keep_time(True)
            ]
        )
    )
    if restated:
        built.annotation(restatements(restated))
    top, number = 0, 0
    for line in lines:
        number += 1
        if isinstance(line, str):
            built.with_row(
                dashboard.Row(line).id(number).collapsed(False).grid_pos(model.GridPos(h=1, w=24, x=0, y=top))
            )
            top += 1
            continue
        height, panels = line
        left = 0
        for width, panel in panels:
            built.with_panel(panel.id(number).grid_pos(model.GridPos(h=height, w=width, x=left, y=top)))
            number += 1
            left += width
        top += height
    found = built.build()
    return _of_source(found, recorded_by_project) if can_be_recorded else found


def link_to(uid, *names, **values):
    """A link to another dashboard with the data source, some variables as chosen, others as given, and the time."""
    carried = "&".join(f"${{{name}:queryparam}}" for name in ("datasource", *names))
    given = "".join(f"&var-{name}={value}" for name, value in values.items())
    return f"/d/cloudspend-{uid}?{carried}{given}&${{__url_time_range}}"
