"""Licences: seats bought, assigned and paid for without use."""

from . import promql as q
from . import shared
from .board import board, link_to
from .panels import BLUE, GREEN, ORANGE, YELLOW, Column, Query, bars, grid, history, hours, prop, stats, threshold_prop, tile_steps

BOUGHT = "cloudspend_license_seats"
ASSIGNED = "cloudspend_license_assigned_seats"
UNUSED = "cloudspend_license_available_seats"
SUSPENDED = "cloudspend_license_suspended_seats"


def seats(metric, by, select=q.SEATS):
    """Seats by some labels."""
    return q.total(by, metric, select)


def build():
    """The dashboard."""
    by = "customer, product"
    everything = {metric: q.total("", metric, q.SEATS) for metric in (BOUGHT, ASSIGNED, UNUSED, SUSPENDED)}
    lines = [
        (5, [
            (16, stats(
                "Seats now",
                "Bought: seats that are paid for. Assigned: seats that a user has. Unused: seats that could still be assigned. "
                "Suspended: seats that the seller has suspended. As the provider sends them; they need not add up.",
                [
                    Query(everything[BOUGHT], "bought"),
                    Query(everything[ASSIGNED], "assigned"),
                    Query(everything[UNUSED], "unused"),
                    Query(f"{everything[UNUSED]} / ({everything[BOUGHT]} > 0)", "unused share"),
                    Query(everything[SUSPENDED], "suspended"),
                ],
                no_value="no licences",
            ).override_by_name("unused share", [
                prop("unit", "percentunit"), prop("decimals", 0),
                threshold_prop(GREEN, (0.1, YELLOW), (0.25, ORANGE)),
            ])),
            (8, trust()),
        ]),
        (13, [
            (7, bars(
                "Most unused seats by customer",
                "The ten customers with the most seats that are paid for and not assigned.",
                [Query(f"topk(10, {seats(UNUSED, 'customer')} > 0)", "{{customer}}")],
                steps=(ORANGE,), no_value="no unused seats", long_names=True,
            )),
            (7, bars(
                "Most unused seats by licence",
                "The ten licences with the most seats that are paid for and not assigned.",
                [Query(f"topk(10, {seats(UNUSED, 'product')} > 0)", "{{product}}")],
                steps=(ORANGE,), no_value="no unused seats", long_names=True,
            )),
            (10, history(
                "Bought, assigned and unused",
                "Seats over time. A licence that is no longer listed counts 0 until the month's end.",
                [Query(everything[BOUGHT], "bought"), Query(everything[ASSIGNED], "assigned"), Query(everything[UNUSED], "unused")],
                interval="6h",
            )),
        ]),
        (14, [(24, grid(
            "By customer and licence",
            "Every licence of every customer. Change: seats bought now less seats bought 30 days ago.",
            [
                Query(seats(BOUGHT, by)),
                Query(seats(ASSIGNED, by)),
                Query(seats(UNUSED, by)),
                Query(seats(SUSPENDED, by)),
                Query(f"{seats(UNUSED, by)} / on ({by}) ({seats(BOUGHT, by)} > 0)"),
                Query(f"{seats(BOUGHT, by)} - on ({by}) {q.total(by, BOUGHT, q.SEATS, '30d')}"),
            ],
            [
                Column("customer", "Customer", at_least=180, link=link_to("customer", "provider", "account", customer="${__value.raw:percentencode}"),
                       link_title="Open this customer"),
                Column("product", "Licence", at_least=180),
                Column("Value #A", "Bought", unit="locale", decimals=0, width=80),
                Column("Value #B", "Assigned", unit="locale", decimals=0, width=85),
                Column("Value #C", "Unused", unit="locale", decimals=0, width=85, steps=(GREEN, (1, YELLOW), (10, ORANGE))),
                Column("Value #E", "Unused share", unit="percentunit", decimals=0, width=150, steps=(BLUE,), cell="gauge", minimum=0, maximum=1),
                Column("Value #D", "Suspended", unit="locale", decimals=0, width=90),
                Column("Value #F", "Change, 30 days", unit="locale", decimals=0, width=125),
            ],
            sort=[("Unused", True)],
            no_value="no licences",
        ))]),
    ]
    return board(
        "licences", "Licences", "Seats bought, assigned and unused, by customer and product.",
        ["provider", "account", "customer", "project", "product"], lines, time_from="now-90d",
    )


def trust():
    """Failures and age of the accounts that show licences."""
    # Chosen licences, and accounts that have shown some within three days and show none now.
    of_licences = f"and {q.SAME_ACCOUNT} last_over_time((count by (provider, account) ({q.selector(BOUGHT, q.SEATS)}))[3d:1h])"
    panel = stats(
        "Can I trust it?",
        "Accounts with licences: how many failed in their last poll, how many of their parts (customers in a provider instance) fail "
        "and show their last good values, and the longest time since anything that is shown was read. In other: the largest share "
        "that is folded into the value other.",
        [
            Query(f"count(({q.once('cloudspend_poll_success', q.ACCOUNT)} == 0) {of_licences}) or vector(0)", "failing"),
            Query(f"sum({q.once('cloudspend_failing_parts', q.ACCOUNT)} {of_licences}) or vector(0)", "failing parts"),
            Query(f"max((time() - {q.once(shared.OLDEST, q.ACCOUNT)}) {of_licences}) / 3600", "read"),
            Query(f"max({q.once(shared.FOLDED, q.ACCOUNT)} {of_licences})", "in other"),
        ],
        unit="none", steps=(GREEN, (1, "red")), no_value="unknown", tiles=True,
    )
    panel.override_by_name("read", hours(*shared.AGE_STEPS))
    panel.override_by_name("in other", [prop("unit", "percentunit"), prop("decimals", 1), tile_steps(*shared.FOLDED_STEPS)])
    return panel
