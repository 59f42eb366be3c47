"""The alerts that fire, ranked, each with a link to the dashboard that shows more."""

from .board import DATA_SOURCE_AND_TIME
from .panels import BLUE, GREY, ORANGE, RED, Column, Query, grid

FIRING = 'ALERTS{alertname=~"CloudSpend.*", alertstate="firing"}'
# Which dashboard shows more about an alert; what is not listed is on Exporter health.
SHOWN_ON = [("Budget.*", "budgets"), ("Licences.*", "licences"), ("Anomaly", "customer"), ("RestatementLarge|UnusualGrowth", "provider")]


def _named(expression):
    named = f'label_replace({expression}, "alert", "$1", "alertname", "CloudSpend(.+)")'
    named = f'label_replace({named}, "board", "exporter-health", "", "")'
    for names, board in SHOWN_ON:
        named = f'label_replace({named}, "board", "{board}", "alertname", "CloudSpend({names})")'
    return f'label_join({named}, "about", " ", "budget", "account", "customer")'


def _rank(expression, rank):
    return f'label_replace({expression}, "rank", "{rank}", "", "")'


def firing():
    """Critical ones first, then warnings, then how many are for information."""
    each = "sum by (alertname, severity, budget, account, customer) ({})"
    critical = each.format(FIRING.replace("}", ', severity="critical"}'))
    warning = each.format(FIRING.replace("}", ', severity!~"critical|info"}'))
    info = 'label_replace(count by (severity) ({}), "alert", "for information", "", "")'.format(FIRING.replace("}", ', severity="info"}'))
    info = f'label_replace(label_replace({info}, "board", "exporter-health", "", ""), "about", "–", "", "")'
    words = {"1": ("critical", RED), "2": ("warning", ORANGE), "3": ("info", BLUE)}
    mappings = ({"type": "value", "options": {key: {"text": text, "color": color, "index": at} for at, (key, (text, color)) in enumerate(words.items())}},)
    return grid(
        "Alerts that fire",
        "The alerts of this project's rules that fire now, critical ones first, and what each is about: a budget, an account, a customer. Those for "
        "information are only counted. A name opens the dashboard that shows more. Empty is good, if the rules are loaded.",
        [Query(f"{_rank(_named(critical), 1)} or {_rank(_named(warning), 2)} or {_rank(info, 3)}")],
        [
            Column("rank", "Severity", width=80, mappings=mappings, steps=(GREY,)),
            Column("alert", "Alert", width=130, link=f"/d/cloudspend-${{__data.fields.board}}?{DATA_SOURCE_AND_TIME}",
                   link_title="Open the dashboard that shows more"),
            Column("about", "About", at_least=140),
            Column("Value", "Count", unit="none", width=55),
            Column("board", "board", hidden=True),
        ],
        sort=[("Severity", False), ("Alert", False)],
        no_value="none",
    )
