"""Accuracy by round, against bytes and against energy, as the plain options that ECharts reads.

Text and lines are ``currentColor``, so the page's light or dark theme colours them by its style.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edgestill.page.view import Point, RunView
from edgestill.report.theme import MODELS, faint

Options = dict[str, Any]

_STEPS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_FONT = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart of the page.

    Attributes:
        key: its name.
        title: heading.
        across: what a point's place from left to right is.
        unit: of that; empty for rounds.
    """

    key: str
    title: str
    across: Callable[[Point], float]
    unit: str = ""


CHARTS = (
    Chart(key="rounds", title="Accuracy by round", across=lambda point: point.round_number),
    Chart(key="bytes", title="Accuracy against bytes", across=lambda p: p.bytes, unit="B"),
    Chart(key="energy", title="Accuracy against energy", across=lambda p: p.energy_j, unit="J"),
)


def options(chart: Chart, view: RunView) -> Options:
    """Return the options of a chart as the run stands."""
    places = [chart.across(point) for point in view.points]
    scale, prefix = _scaled(places) if chart.unit else (1.0, "")
    line = [
        [_short(place / scale), _percent(point.accuracy)]
        for place, point in zip(places, view.points, strict=True)
    ]
    return {
        "animation": False,
        "grid": {"left": 8, "right": 20, "top": 14, "bottom": 26, "containLabel": True},
        "tooltip": _tooltip(),
        "xAxis": _across(chart, view, f"{prefix}{chart.unit}"),
        "yAxis": _axis(min=_floor(view), max=100, axisLabel=_label("{value} %"), minInterval=1),
        "series": [_student(line), _teacher(view)],
    }


def spoken(chart: Chart, view: RunView) -> str:
    """Return what the chart shows in words."""
    if not view.points:
        return f"{chart.title}: no round has finished yet"
    first, last = view.points[0], view.points[-1]
    return (
        f"{chart.title}: {_percent(first.accuracy)} % after round {first.round_number}, "
        f"{_percent(last.accuracy)} % after round {last.round_number}; values under Rounds"
    )


def _student(line: Sequence[Sequence[float]]) -> Options:
    colour = MODELS["ours"]
    return {
        "type": "line",
        "name": "student",
        "data": line,
        "symbol": "circle",
        "symbolSize": 6 if len(line) <= 60 else 0,
        "color": colour,
        "lineStyle": {"width": 2.5, "color": colour},
        "areaStyle": {"color": faint(colour, 0.08)},
    }


def _teacher(view: RunView) -> Options:
    """Return the teacher's accuracy as a line across; an empty series as long as it is unknown."""
    accuracy = view.gauges.teacher_accuracy
    colour = MODELS["teacher"]
    lines = [] if accuracy is None else [{"yAxis": _percent(accuracy), "name": "teacher"}]
    return {
        "type": "line",
        "name": "teacher",
        "data": [],
        "color": colour,
        "markLine": {
            "silent": True,
            "symbol": "none",
            "data": lines,
            "lineStyle": {"type": "dashed", "width": 1.5, "color": colour},
            "label": {
                "formatter": "teacher {c} %",
                "position": "insideStartBottom",
                "color": "currentColor",
                "fontSize": _FONT,
            },
        },
    }


def _across(chart: Chart, view: RunView, unit: str) -> Options:
    if chart.unit:
        return _axis(min=0, name=unit, axisLabel=_label("{value}"), splitLine={"show": False})
    most = max(view.run.rounds if view.run else 1, view.round_number, 2)
    return _axis(
        min=1,
        max=most,
        minInterval=1,
        name="round",
        axisLabel=_label("{value}"),
        splitLine={"show": False},
    )


def _axis(**given: object) -> Options:
    return {
        "type": "value",
        "nameLocation": "middle",
        "nameGap": 24,
        "nameTextStyle": {"color": "currentColor", "fontSize": _FONT},
        "axisLine": {"show": False},
        "axisTick": {"show": False},
        "splitNumber": 5,
        "splitLine": {"lineStyle": {"color": "currentColor", "opacity": 0.15}},
        **given,
    }


def _label(formatter: str) -> Options:
    return {
        "formatter": formatter,
        "color": "currentColor",
        "fontSize": _FONT,
        "hideOverlap": True,
    }


def _tooltip() -> Options:
    return {
        "trigger": "axis",
        "confine": True,
        "backgroundColor": "var(--raised)",
        "borderColor": "var(--line)",
        "textStyle": {"color": "var(--text)", "fontSize": 12},
        "axisPointer": {"lineStyle": {"color": "currentColor", "opacity": 0.5}},
    }


def _scaled(values: Sequence[float]) -> tuple[float, str]:
    """Return the power of 1000, and its prefix, in which the largest value reads well."""
    largest = max(values, default=0.0)
    return next(((step, prefix) for step, prefix in _STEPS if largest >= step), (1.0, ""))


def _floor(view: RunView) -> float:
    """Return where the axis of accuracy begins: a multiple of ten under the lowest value."""
    lowest = min((point.accuracy for point in view.points), default=0.0)
    return max(0.0, 10.0 * int(10.0 * lowest - 0.5))


def _percent(ratio: float) -> float:
    return round(100.0 * ratio, 1)


def _short(value: float) -> float:
    return float(f"{value:.4g}")
