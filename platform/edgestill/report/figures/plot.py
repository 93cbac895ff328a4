"""Parts that every figure is made of, as the plain objects that plotly.js reads.

Colours of text, grid and background are not set here: the page sets them by its own light or dark
theme.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from edgestill.report.schema import Report
from edgestill.report.table import Table

Trace = dict[str, Any]
Layout = dict[str, Any]

_MOST_TICKS = 20
_AXIS_PX, _TITLE_PX = 80, 36


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of the page, and the same figures as a table for who cannot see it.

    Attributes:
        key: its id on the page.
        title: heading.
        caption: what is to be seen, one or two sentences.
        data: plotly.js traces.
        layout: plotly.js layout.
        table: the same data as text.
    """

    key: str
    title: str
    caption: str
    data: tuple[Trace, ...]
    layout: Layout
    table: Table


def rounds_axis(rounds: Sequence[int]) -> Layout:
    """Return a horizontal axis that shows every round whole."""
    axis: Layout = {
        "title": {"text": "round", "standoff": 6},
        "range": [min(rounds) - 0.5, max(rounds) + 0.5],
        "tickformat": "d",
        "showgrid": False,
        "zeroline": False,
    }
    if len(rounds) <= _MOST_TICKS:
        axis |= {"tick0": min(rounds), "dtick": 1 if len(rounds) <= _MOST_TICKS // 2 else 2}
    return axis


def stacked_panels(
    axes: Sequence[tuple[str, Layout]],
    rounds: Sequence[int],
    *,
    panel_px: int = 190,
    **layout: object,
) -> Layout:
    """Return a layout of panels one above the other over the same rounds.

    Args:
        axes: title and vertical axis of each panel, from the top; traces choose theirs by
            ``yaxis="y"``, ``"y2"``, ``"y3"`` and so on.
        rounds: round numbers.
        panel_px: height of each panel.
        layout: further entries of the layout.
    """
    count = len(axes)
    made: Layout = {
        "height": panel_px * count + _AXIS_PX,
        "xaxis": rounds_axis(rounds) | {"anchor": axis_name(count - 1)},
        "annotations": [_panel_title(title, index) for index, (title, _) in enumerate(axes)],
        **layout,
    }
    gap = _TITLE_PX / (panel_px * count)
    step = (1 + gap) / count
    for index, (_, axis) in enumerate(axes):
        top = 1 - index * step
        domain = [max(0.0, top - step + gap), top]
        made[f"yaxis{index + 1 if index else ''}"] = {
            "rangemode": "tozero",
            "domain": domain,
        } | axis
    return made


def axis_name(index: int) -> str:
    """Return plotly's name of the vertical axis of panel ``index``, from 0."""
    return f"y{index + 1}" if index else "y"


def _panel_title(text: str, index: int) -> Layout:
    place = {"xref": "paper", "x": 0, "xanchor": "left", "yanchor": "bottom", "y": 1}
    return {"text": text, "yref": f"{axis_name(index)} domain", "showarrow": False, **place}


def escaped(text: object) -> str:
    """Return text that plotly.js shows as it is; it would take ``<`` for markup."""
    return str(text).replace("&", "&amp;").replace("<", "&lt;")


def column(report: Report, key: str) -> list[Any]:
    """Return one value per round, None where a round has none."""
    return [entry.get(key) for entry in report["rounds"]]


def round_numbers(report: Report) -> list[int]:
    """Return the rounds' own numbers."""
    return [entry["round"] for entry in report["rounds"]]


def keys_of(mappings: Iterable[object]) -> list[str]:
    """Return the keys of all mappings in order of appearance; None counts as empty."""
    found: dict[str, None] = {}
    for mapping in mappings:
        if isinstance(mapping, dict):
            found.update(dict.fromkeys(mapping))
    return list(found)
