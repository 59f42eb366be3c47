"""Panels as the dashboards want them: every one with a title, a description, a unit and the chosen data source."""

from dataclasses import dataclass

from grafana_foundation_sdk.builders import bargauge, common, dashboard, piechart, prometheus, stat, table, timeseries
from grafana_foundation_sdk.models import common as common_model
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import piechart as piechart_model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

DATASOURCE = common_model.DataSourceRef(type_val="prometheus", uid="${datasource}")
# Grafana's units by ISO 4217 code. Another currency is shown as a plain number, its code beside it.
CURRENCIES = ["BRL", "CHF", "CZK", "DKK", "EUR", "GBP", "INR", "JPY", "NOK", "PLN", "SEK", "USD", "ZAR"]
# The plain yellow cannot be read on white.
GREEN, YELLOW, ORANGE, RED, BLUE, GREY = "green", "dark-yellow", "orange", "red", "blue", "text"
# White text on these has a contrast of at least 4.5 in both themes, which Grafana's own colours have not as tiles.
TILES = {GREEN: "#1b7a3a", YELLOW: "#8a6100", ORANGE: "#a84300", RED: "#b3261e", BLUE: "#1f5fbf", GREY: "#5f6673"}
HOUR, DAY = 3600, 86400
# A span of time in seconds as 1 d 11:05:09, and of one in hours as 35.1 h: the plain unit rounds to "1 day".
SPAN, HOURS = "dtdhms", "suffix: h"


@dataclass(frozen=True)
class Query:
    """A query with the name of its series."""

    expr: str
    legend: str = "__auto"


def _targets(panel, queries, *, instant, as_table=False):
    for ref, query in zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", queries):
        target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(ref).datasource(DATASOURCE)
        target = target.instant() if instant else target.range()
        target = target.format(PromQueryFormat.TABLE if as_table else PromQueryFormat.TIME_SERIES)
        panel.with_target(target)
    return panel


def _begin(panel, title, description, unit):
    return panel.title(title).description(description).unit(unit).datasource(DATASOURCE)


def thresholds(*steps):
    """Colours by value: the first colour, then pairs of a value and the colour from there on."""
    first, *rest = steps
    found = [model.Threshold(value=None, color=first)]
    found += [model.Threshold(value=value, color=color) for value, color in rest]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(found)


def prop(name, value):
    """One property of an override."""
    return model.DynamicConfigValue(id_val=name, value=value)


def threshold_prop(*steps):
    """Thresholds as a property of an override."""
    return prop("thresholds", thresholds(*steps).build())


def on_tiles(*steps):
    """Thresholds with colours that carry white text."""
    first, *rest = steps
    return (TILES.get(first, first), *((value, TILES.get(color, color)) for value, color in rest))


def tile_steps(*steps):
    """Thresholds of one tile as a property of an override."""
    return threshold_prop(*on_tiles(*steps))


def hours(*steps):
    """A tile of hours, whose thresholds are in seconds like those of tables, as properties of an override."""
    first, *rest = steps
    return [prop("unit", HOURS), prop("decimals", 1), tile_steps(first, *((value / HOUR, color) for value, color in rest))]


def by_currency(panel):
    """Shows a series whose name ends in a currency's code with that currency's sign."""
    for code in CURRENCIES:
        panel.override_by_regexp(f"/(^|\\s){code}$/", [prop("unit", f"currency{code}")])
    return panel


def colour(mode):
    """How a panel is coloured, `thresholds` for instance."""
    return dashboard.FieldColor().mode(mode)


def _last():
    return common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False)


def stats(title, description, queries, *, unit="locale", steps=(GREY,), no_value="none", decimals=None, tiles=False, lines=False):
    """Big numbers as they are now, one a series: beside each other, or in lines, which any number of currencies fits; as coloured tiles where the
    colour is the message.
    """
    # What has no value is shown in the first colour: neither good nor bad is known.
    neutral = steps if steps[0] == GREY else (GREY, (-1e12, steps[0]), *steps[1:])
    panel = (
        _begin(stat.Panel(), title, description, unit)
        .thresholds(thresholds(*(on_tiles(*neutral) if tiles else neutral)))
        .color_scheme(colour(model.FieldColorModeId.THRESHOLDS))
        .color_mode(common_model.BigValueColorMode.BACKGROUND_SOLID if tiles else common_model.BigValueColorMode.VALUE)
        .graph_mode(common_model.BigValueGraphMode.NONE)
        .text_mode(common_model.BigValueTextMode.VALUE_AND_NAME)
        .justify_mode(common_model.BigValueJustifyMode.AUTO)
        .orientation(common_model.VizOrientation.HORIZONTAL if lines else common_model.VizOrientation.AUTO)
        .wide_layout(lines)
        .reduce_options(_last())
        .no_value(no_value)
    )
    if decimals is not None:
        panel.decimals(decimals)
    # Fixed sizes: sizes that follow the room differ from panel to panel of one line.
    panel.text(common.VizTextDisplayOptions().title_size(13).value_size(15 if tiles else 18))
    return _targets(panel, queries, instant=True)


def bars(title, description, queries, *, unit="locale", steps=(BLUE,), no_value="none", maximum=None, long_names=False):
    """Horizontal bars as they are now, one a series."""
    panel = (
        _begin(bargauge.Panel(), title, description, unit)
        .thresholds(thresholds(*steps))
        .color_scheme(colour(model.FieldColorModeId.THRESHOLDS))
        .display_mode(common_model.BarGaugeDisplayMode.BASIC)
        .orientation(common_model.VizOrientation.HORIZONTAL)
        .value_mode(common_model.BarGaugeValueMode.TEXT)
        # A single bar, too, keeps its name.
        .name_placement(common_model.BarGaugeNamePlacement.TOP if long_names else common_model.BarGaugeNamePlacement.LEFT)
        .text(common.VizTextDisplayOptions().title_size(13).value_size(13))
        .show_unfilled(True)
        .min(0)
        .reduce_options(_last())
        .no_value(no_value)
    )
    if maximum is not None:
        panel.max(maximum)
    return _targets(panel, queries, instant=True)


def share(title, description, queries, *, unit="locale", no_value="none"):
    """A pie of shares as they are now."""
    panel = (
        _begin(piechart.Panel(), title, description, unit)
        .pie_type(piechart_model.PieChartType.DONUT)
        .decimals(0)
        .display_labels([piechart_model.PieChartLabels.PERCENT])
        .legend(
            piechart.PieChartLegendOptions()
            .display_mode(common_model.LegendDisplayMode.TABLE)
            .placement(common_model.LegendPlacement.RIGHT)
            .show_legend(True)
            .values([piechart_model.PieChartLegendValues.VALUE, piechart_model.PieChartLegendValues.PERCENT])
        )
        .reduce_options(_last())
        .no_value(no_value)
    )
    return _targets(panel, queries, instant=True)


def history(title, description, queries, *, unit="locale", interval="1h", stacked=False, columns=False, no_value="none",
            soft_max=None):
    """Lines over time, or columns of one interval each. The axis starts at 0, or below where a value is."""
    panel = (
        _begin(timeseries.Panel(), title, description, unit)
        .draw_style(common_model.GraphDrawStyle.BARS if columns else common_model.GraphDrawStyle.LINE)
        .fill_opacity(80 if columns else 15 if stacked else 0)
        .line_width(0 if columns else 2)
        .show_points(common_model.VisibilityMode.NEVER)
        .axis_soft_min(0)
        .legend(
            common.VizLegendOptions()
            .display_mode(common_model.LegendDisplayMode.LIST)
            .placement(common_model.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs([])
        )
        .tooltip(common.VizTooltipOptions().mode(common_model.TooltipDisplayMode.MULTI)
                 .sort(common_model.SortOrder.DESCENDING))
        .no_value(no_value)
        .interval(interval)
    )
    if stacked:
        panel.stacking(common.StackingConfig().mode(common_model.StackingMode.NORMAL).group("A"))
    if soft_max is not None:
        panel.axis_soft_max(soft_max)
    return _targets(panel, queries, instant=False)


@dataclass(frozen=True)
class Column:
    """A column of a table: where it comes from, its heading, and how it is shown."""

    field: str
    heading: str
    unit: str = ""
    decimals: int | None = None
    width: int | None = None
    steps: tuple = ()
    link: str = ""
    link_title: str = ""
    mappings: tuple = ()
    cell: str = ""
    minimum: float | None = None
    maximum: float | None = None
    span: bool = False
    hidden: bool = False
    at_least: int | None = None


def money_column(field, heading, **more):
    """An amount: wide enough for millions."""
    return Column(field, heading, **{"unit": "locale", "decimals": 0, "width": 95, **more})


# The name of the query whose series become small graphs in a table's rows.
TREND = "T"


def grid(title, description, queries, columns, *, sort=(), unit="locale", no_value="–", rank=None, trend=None):
    """A table as things are now: the queries' rows merged on their labels, then the columns that are named. With a rank,
    a field and a number, only the rows that are largest in that field. With a trend, an expression by the same labels, whose values of 30 days up to now are
    the field `Trend #T`; of 30 days whatever the time range is, as 90 take three times as long.
    """
    panel = (
        _begin(table.Panel(), title, description, unit)
        .show_header(True)
        .cell_height(common_model.TableCellHeight.SM)
        .min_width(50)
        .no_value(no_value)
    )
    _targets(panel, queries, instant=True, as_table=True)
    if trend:
        target = prometheus.Dataquery().expr(f"({trend})[30d:1d]").ref_id(TREND).datasource(DATASOURCE).instant().format(PromQueryFormat.TIME_SERIES)
        panel.with_target(target)
        # Of that query alone: a table of a single row would be taken for a series, too.
        panel.with_transformation(model.DataTransformerConfig(
            id_val="timeSeriesTable", filter_val=model.MatcherConfig(id_val="byRefId", options=f"/^(?:{TREND})$/"), options={TREND: {"timeField": "Time"}},
        ))
    panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    if rank:
        field, most = rank
        panel.with_transformation(
            model.DataTransformerConfig(id_val="sortBy", options={"fields": {}, "sort": [{"field": field, "desc": True}]})
        )
        panel.with_transformation(model.DataTransformerConfig(id_val="limit", options={"limitField": most}))
    fields = [column.field for column in columns]
    panel.with_transformation(
        model.DataTransformerConfig(
            id_val="filterFieldsByName",
            options={"include": {"names": fields}},
        )
    )
    panel.with_transformation(
        model.DataTransformerConfig(
            id_val="organize",
            options={
                "excludeByName": {},
                "indexByName": {field: at for at, field in enumerate(fields)},
                "renameByName": {column.field: column.heading for column in columns},
            },
        )
    )
    for column in columns:
        properties = []
        # A contract's number is a name: without a unit of its own it would get separators.
        if column.span:
            properties.append(prop("unit", SPAN))
        else:
            properties.append(prop("unit", column.unit or "string"))
        if column.hidden:
            # The second is what newer tables go by.
            properties.append(prop("custom.hidden", True))
            properties.append(prop("custom.hideFrom", {"legend": True, "tooltip": True, "viz": True}))
        if column.decimals is not None:
            properties.append(prop("decimals", column.decimals))
        if column.width is not None:
            properties.append(prop("custom.width", column.width))
        if column.at_least is not None:
            properties.append(prop("custom.minWidth", column.at_least))
        if column.minimum is not None:
            properties.append(prop("min", column.minimum))
        if column.maximum is not None:
            properties.append(prop("max", column.maximum))
        if column.steps:
            properties.append(threshold_prop(*column.steps))
            cell = {"type": column.cell or "color-text"}
            if column.cell == "gauge":
                cell["mode"] = "basic"
            properties.append(prop("custom.cellOptions", cell))
        if column.cell == "sparkline":
            properties.append(prop("color", {"mode": "fixed", "fixedColor": BLUE}))
            properties.append(prop("custom.cellOptions", {
                "type": "sparkline", "hideValue": True, "drawStyle": "bars", "lineWidth": 0, "fillOpacity": 70, "barAlignment": 0,
            }))
        if column.mappings:
            properties.append(prop("mappings", list(column.mappings)))
        if column.link:
            properties.append(prop("links", [{"title": column.link_title, "url": column.link, "targetBlank": False}]))
        panel.override_by_name(column.heading, properties)
    if sort:
        panel.sort_by(
            [common.TableSortByFieldState().display_name(name).desc(down) for name, down in sort]
        )
    return panel


def said(values):
    """Value mappings: numbers to words with a colour."""
    options = {
        str(value): {"text": text, "color": color, "index": at} for at, (value, text, color) in enumerate(values)
    }
    return ({"type": "value", "options": options},)
