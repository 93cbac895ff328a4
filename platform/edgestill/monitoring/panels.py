"""Panels as values: what is shown, in which unit, with which bounds, and why one should look."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

Kind = Literal["stat", "graph", "timeline", "table", "heatmap"]
GOOD, FAIR, POOR, BAD, PLAIN = "green", "yellow", "orange", "red", "text"

RUN = "{{run}}"
GROUP = "{{run}} {{group}}"
"""Legends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Colours by value: ``base`` below the first step, then each step's from its value on."""

    base: str = GOOD
    steps: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """One expression; ``legend`` names its series, or its column in a table.

    ``unit`` and ``bounds`` are of a table's column.
    """

    expression: str
    legend: str = RUN
    unit: str = "short"
    bounds: Bounds = Bounds(base=PLAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel of a dashboard.

    Attributes:
        kind: how it is drawn; a timeline shows states, named by ``states``.
        unit: one of Grafana's unit ids.
        width: in columns of 24.
        height: in rows of the grid.
        low: where the axis begins, where that is known.
        high: where the axis ends, where that is known.
        states: name and colour of the values 0, 1, 2, ...
        absent: what is shown where there is no series.
    """

    kind: Kind
    title: str
    description: str
    queries: tuple[Query, ...]
    unit: str = "short"
    width: int = 8
    height: int = 8
    decimals: int | None = None
    low: float | None = None
    high: float | None = None
    bounds: Bounds = Bounds(base=PLAIN)
    states: tuple[tuple[str, str], ...] = ()
    stacked: bool = False
    stepped: bool = False
    absent: str | None = None


stat = partial(Panel, kind="stat", width=4, height=4)
graph = partial(Panel, kind="graph")
timeline = partial(Panel, kind="timeline", width=12)
table = partial(Panel, kind="table", width=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Panels below one heading."""

    title: str
    panels: tuple[Panel, ...]
    collapsed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One dashboard: its name is its file's and, behind ``edgestill-``, its uid."""

    name: str
    title: str
    description: str
    rows: tuple[Row, ...]

    @property
    def uid(self) -> str:
        """By which Grafana and links find it."""
        return f"edgestill-{self.name}"

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All panels, in reading order."""
        return tuple(panel for row in self.rows for panel in row.panels)


def rising(*values: float) -> Bounds:
    """Return bounds of what is worse the higher it is: up to three values, the last is bad."""
    colours = {1: (BAD,), 2: (FAIR, BAD), 3: (FAIR, POOR, BAD)}[len(values)]
    return Bounds(base=GOOD, steps=tuple(zip(values, colours, strict=True)))


def falling(*values: float) -> Bounds:
    """Return bounds of what is worse the lower it is: up to three values, highest first."""
    colours = {1: (GOOD,), 2: (FAIR, GOOD), 3: (POOR, FAIR, GOOD)}[len(values)]
    return Bounds(base=BAD, steps=tuple(zip(reversed(values), colours, strict=True)))
