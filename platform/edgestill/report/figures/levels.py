"""What the allocator decided: the level of each group, and how many devices were at each."""

from collections.abc import Sequence
from typing import Any

from edgestill.report.figures.plot import (
    Figure,
    Layout,
    Trace,
    column,
    escaped,
    keys_of,
    round_numbers,
    rounds_axis,
    stacked_panels,
)
from edgestill.report.schema import Report
from edgestill.report.table import table
from edgestill.report.theme import INK, LEVELS
from edgestill.report.units import NOTHING, number

_ORDER = list(LEVELS)
_MOST_LETTERS = 16  # more columns than this leave no room for a letter on a phone


def group_levels(report: Report) -> Figure | None:
    """Return the level of each group by round as coloured cells with the level's initial."""
    rounds, entries = round_numbers(report), column(report, "levels")
    groups = keys_of(entries)
    if not groups:
        return None
    levels = [[(entry or {}).get(group) for entry in entries] for group in groups]
    rows = [[str(n), *(row[i] or NOTHING for row in levels)] for i, n in enumerate(rounds)]
    return Figure(
        key="levels",
        title="Level of each group",
        caption="What each group may spend, from high to critical. A group falls at once when a "
        "signal asks for it and rises one level at a time; the reason is shown by pointing.",
        data=(_cells(report, rounds, groups, levels), *_legend(rounds, groups)),
        layout={
            "height": 90 + 44 * len(groups),
            "hovermode": "closest",
            "xaxis": rounds_axis(rounds),
            "yaxis": {"autorange": "reversed", "type": "category", "showgrid": False},
        },
        table=table("Level of each group", ("round", *groups), rows, texts=len(groups) + 1),
    )


def _cells(
    report: Report, rounds: Sequence[int], groups: Sequence[str], levels: Sequence[Sequence[Any]]
) -> Trace:
    letters = len(rounds) <= _MOST_LETTERS
    return {
        "type": "heatmap",
        "x": list(rounds),
        "y": list(groups),
        "z": [[_ORDER.index(level) if level else None for level in row] for row in levels],
        "zmin": -0.5,
        "zmax": len(_ORDER) - 0.5,
        "colorscale": _steps(),
        "showscale": False,
        "xgap": 2,
        "ygap": 4,
        "text": [[level[0].upper() if level else "" for level in row] for row in levels],
        "texttemplate": "%{text}" if letters else "",
        "textfont": {"color": INK},
        "customdata": _remarks(report, groups, levels),
        "hovertemplate": "%{y}, round %{x}: %{customdata}<extra></extra>",
    }


def _steps() -> list[list[Any]]:
    """Return a colour scale of four flat steps."""
    count = len(_ORDER)
    return [
        [edge / count, LEVELS[level]]
        for index, level in enumerate(_ORDER)
        for edge in (index, index + 1)
    ]


def _remarks(
    report: Report, groups: Sequence[str], levels: Sequence[Sequence[Any]]
) -> list[list[str]]:
    reasons = [entry or {} for entry in column(report, "reasons")]
    changed = [entry or () for entry in column(report, "changed")]

    def remark(group: str, index: int, level: str | None) -> str:
        parts = [level or NOTHING, "changed" if group in changed[index] else ""]
        parts.append(escaped(reasons[index].get(group, "")))
        return ", ".join(part for part in parts if part)

    return [
        [remark(group, index, level) for index, level in enumerate(row)]
        for group, row in zip(groups, levels, strict=True)
    ]


def _legend(rounds: Sequence[int], groups: Sequence[str]) -> list[Trace]:
    # A heat map has no legend of its own; points without a place give it one.
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": level,
            "x": [rounds[0]],
            "y": [None],
            "marker": {"symbol": "square", "size": 12, "color": LEVELS[level]},
            "hoverinfo": "skip",
            "showlegend": True,
        }
        for level in _ORDER
    ]


def devices_by_level(report: Report) -> Figure | None:
    """Return how many devices ran at each level by round, all groups together."""
    rounds, entries = round_numbers(report), column(report, "devices_by_level")
    counts = [_sum_groups(entry) for entry in entries]
    if not any(counts):
        return None
    rows = [
        [str(n), *(number(counts[i].get(level, 0)) for level in _ORDER)]
        for i, n in enumerate(rounds)
    ]
    axis: Layout = {"tickformat": "d", "nticks": 6}
    return Figure(
        key="devices-by-level",
        title="Devices at each level",
        caption="A device may go below its group's level when its own battery, temperature or load "
        "asks for it, never above.",
        data=tuple(_bars(level, rounds, counts) for level in _ORDER),
        layout=stacked_panels([("devices", axis)], rounds, barmode="stack"),
        table=table("Devices at each level", ("round", *_ORDER), rows, texts=0),
    )


def _sum_groups(entry: dict[str, dict[str, int]] | None) -> dict[str, int]:
    sums: dict[str, int] = {}
    for levels in (entry or {}).values():
        for level, devices in levels.items():
            sums[level] = sums.get(level, 0) + devices
    return sums


def _bars(level: str, rounds: Sequence[int], counts: Sequence[dict[str, int]]) -> Trace:
    return {
        "type": "bar",
        "name": level,
        "x": list(rounds),
        "y": [count.get(level, 0) for count in counts],
        "marker": {"color": LEVELS[level]},
        "showlegend": True,
        "hovertemplate": "%{y}",
    }
