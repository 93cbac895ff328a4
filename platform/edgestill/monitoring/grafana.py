"""A dashboard's JSON: its variables, annotations, links and rows of panels."""

from grafana_foundation_sdk.builders import dashboard as make
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from edgestill.monitoring.draw import SOURCE, draw
from edgestill.monitoring.panels import Board
from edgestill.monitoring.promql import VARIABLES, selector, series

TAG = "edgestill"
SCHEMA_VERSION = 41

CHANGES = (
    f"({series('edgestill_group_level')} == 1) "
    f"and ({series('edgestill_group_level')} offset $__interval == 0)"
)
"""A group is at a level where it was not before."""

FIRING = 'ALERTS{alertstate="firing",run=~"$run"}'

_TEXT_OF_VARIABLES = {
    "run": "The runs to look at; each has its label from its name and a random number.",
    "profile": "Narrows the groups to those of some kinds of device.",
    "group": "The groups of devices to look at.",
}


def dashboard_json(board: Board, others: tuple[Board, ...]) -> str:
    """Return a dashboard as Grafana reads it from a file, with links to the others."""
    builder = (
        make.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags([TAG])
        .readonly()
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .time("now-15m", "now")
        .refresh("5s")
        .timepicker(make.TimePicker().refresh_intervals(["1s", "5s", "10s", "30s", "1m", "5m"]))
        .variables(_variables())
        .annotations([_change(), _alert()])
        .links([_link(other) for other in others if other is not board])
    )
    identity = 0
    for row in board.rows:
        builder.with_row(make.Row(row.title).id(identity := identity + 1))
        for panel in row.panels:
            builder.with_panel(draw(panel, identity := identity + 1))
    built = builder.build()
    built.schema_version = SCHEMA_VERSION
    for variable in (built.templating and built.templating.list_val) or ():
        # Of variables of another kind, and not in Grafana's schema.
        variable.auto = variable.auto_min = variable.auto_count = None
    return JSONEncoder(indent=2, ensure_ascii=False).encode(built) + "\n"


def variable_query(label: str) -> str:
    """Return what lists the values of a variable: those within the variables before it."""
    outer = VARIABLES[: VARIABLES.index(label)]
    within = selector("edgestill_group_devices", **{name: f"${name}" for name in outer})
    return f"label_values({within}, {label})"


def _variables() -> list[Builder[dashboard.VariableModel]]:
    source = (
        make.DatasourceVariable("datasource")
        .label("Prometheus")
        .description("The server that scrapes the runs.")
        .type("prometheus")
    )
    return [source, *(_variable(label) for label in VARIABLES)]


def _variable(label: str) -> make.QueryVariable:
    everything = dashboard.VariableOption(selected=True, text=["All"], value=["$__all"])
    return (
        make.QueryVariable(label)
        .label(label.title())
        .description(_TEXT_OF_VARIABLES[label])
        .datasource(SOURCE)
        .query({"query": variable_query(label), "refId": f"variable-{label}"})
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .current(everything)
    )


class _Event(make.AnnotationQuery):
    """An annotation of Prometheus' kind, whose texts the SDK does not know."""

    def __init__(self, *, title: str, text: str) -> None:
        super().__init__()
        self._texts = {"titleFormat": title, "textFormat": text}

    def build(self) -> dashboard.AnnotationQuery:
        return _WithTexts(super().build(), self._texts)


class _WithTexts(dashboard.AnnotationQuery):
    def __init__(self, query: dashboard.AnnotationQuery, texts: dict[str, str]) -> None:
        super().__init__(**vars(query))
        self._texts = texts

    def to_json(self) -> dict[str, object]:
        return {**super().to_json(), **self._texts}


def _change() -> _Event:
    event = _Event(title="{{group}}: {{level}}", text="{{run}}: {{group}} is now at {{level}}")
    return event.name("Changes of level").datasource(SOURCE).icon_color("blue").expr(CHANGES)


def _alert() -> _Event:
    event = _Event(title="{{alertname}}", text="{{run}} {{group}} {{state}} {{reason}}")
    return event.name("Alerts").datasource(SOURCE).icon_color("red").expr(FIRING)


def _link(board: Board) -> make.DashboardLink:
    return (
        make.DashboardLink(board.title.rpartition("/ ")[2])
        .type(dashboard.DashboardLinkType.LINK)
        .icon("dashboard")
        .tooltip(board.description)
        .url(f"/d/{board.uid}")
        .include_vars(True)
        .keep_time(True)
    )
