"""Dashboard ``privacy``: what was spent of the budget, and what left the devices for it."""

from edgestill.monitoring.panels import Board, Query, Row, graph, rising, stat, table
from edgestill.monitoring.promql import rate, series, sum_of

_EPSILON = series("edgestill_privacy_epsilon")
_BUDGET = series("edgestill_privacy_budget_epsilon")
_SPENT = f"max by (run) ({_EPSILON}) / on (run) ({_BUDGET} > 0)"
_WHAT = "{{run}} {{what}}"
_FINITE = f"({_EPSILON} < +Inf)"

_NOW = Row(
    title="Now",
    panels=(
        stat(
            title="Spent",
            description="Epsilon spent so far by a device that took part in every round, by what "
            "was told: updates or summaries. Infinite where no noise is added.",
            queries=(Query(_EPSILON, _WHAT),),
            unit="none",
            width=8,
            decimals=2,
        ),
        stat(
            title="Budget",
            description="privacy.epsilon_budget: what may be spent before an alert fires.",
            queries=(Query(_BUDGET),),
            unit="none",
            absent="no budget",
        ),
        stat(
            title="Share of the budget spent",
            description="By that which spent most. At 100 % an alert fires.",
            queries=(Query(_SPENT),),
            unit="percentunit",
            bounds=rising(0.8, 1.0),
            absent="no budget",
        ),
        stat(
            title="Summaries sent",
            description="Bytes of the noised summaries by which devices ask for knowledge.",
            queries=(Query(sum_of("edgestill_uplink_bytes_total", kind="summary")),),
            unit="decbytes",
        ),
        stat(
            title="Updates sent",
            description="Bytes of clipped, compressed updates.",
            queries=(Query(sum_of("edgestill_uplink_bytes_total", kind="update")),),
            unit="decbytes",
        ),
    ),
)

_COURSE = Row(
    title="Course",
    panels=(
        graph(
            title="Epsilon",
            description="Spent so far, beside the budget. What is infinite is not drawn.",
            queries=(Query(_FINITE, _WHAT), Query(_BUDGET, "{{run}} budget")),
            unit="none",
            width=12,
            height=10,
            low=0,
            stepped=True,
        ),
        graph(
            title="Epsilon of a round",
            description="What a round adds, over the last 5 minutes; ever less as rounds go on.",
            queries=(
                Query(
                    f"sum by (run, what) (delta({_EPSILON}[5m])) / on (run) group_left () "
                    f"(sum by (run) (increase({series('edgestill_rounds_total')}[5m])) > 0)",
                    _WHAT,
                ),
            ),
            unit="none",
            width=12,
            height=10,
            low=0,
        ),
    ),
)

_TOLD = Row(
    title="What leaves the devices",
    panels=(
        graph(
            title="Uplink by kind",
            description="Bytes per second of real time. Raw data is never among them.",
            queries=(Query(rate("edgestill_uplink_bytes_total", "kind"), "{{run}} {{kind}}"),),
            unit="Bps",
            width=12,
            low=0,
            stacked=True,
        ),
        table(
            title="Told so far by group",
            description="Bytes by what they carried, since the run began.",
            width=12,
            queries=(
                Query(
                    sum_of("edgestill_uplink_bytes_total", "group", kind="summary"),
                    "Summaries",
                    "decbytes",
                ),
                Query(
                    sum_of("edgestill_uplink_bytes_total", "group", kind="update"),
                    "Updates",
                    "decbytes",
                ),
                Query(sum_of("edgestill_devices_completed_total", "group"), "Updates used"),
            ),
        ),
    ),
)

PRIVACY = Board(
    name="privacy",
    title="edgestill / Privacy",
    description="What was spent of the privacy budget, and what left the devices for it.",
    rows=(_NOW, _COURSE, _TOLD),
)
