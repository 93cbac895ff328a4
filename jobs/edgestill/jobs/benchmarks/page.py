"""A benchmark as one HTML page: its claims, what it shows, its tables, where it was measured."""

import base64
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from edgestill.jobs.benchmarks.charts import Chart, Pictures, Series, Shown
from edgestill.jobs.benchmarks.form import Claim, Measured, ResultTable
from edgestill.report import versions_and_hardware
from edgestill.report.document import document, figure_part, section
from edgestill.report.figures import Figure
from edgestill.report.figures.plot import Layout, Trace, escaped
from edgestill.report.table import FAILS, HOLDS, Table, table
from edgestill.report.theme import colours, faint
from edgestill.report.units import number

_MODES = {"lines": "lines+markers", "points": "markers"}
_NOTHING = "-"


def benchmark_page(name: str, measured: Measured, command: str) -> str:
    """Return the whole document; it needs nothing but itself."""
    drawn = [_figure(chart) for chart in measured.charts if isinstance(chart, Chart)]
    header = (
        f"<header><h1>bench {escape(name)}</h1><p><code>{escape(command)}</code></p>"
        "<noscript><p>The figures need JavaScript; each has its values as a table.</p></noscript>"
        "</header>"
    )
    body = [
        section(_claims(measured.claims)),
        *(_part(shown) for shown in measured.charts),
        *(section(_results(found)) for found in measured.tables),
        '<div class="columns">',
        *(section(found) for found in _background(measured.configuration)),
        "</div>",
    ]
    return document(f"bench {name} - edgestill", header=header, body=body, drawn=drawn)


def _claims(claims: Sequence[Claim]) -> Table:
    rows = [
        (
            claim.id,
            _NOTHING if claim.value is None else f"{claim.value:.4g}",
            f"{claim.target:.4g}",
            claim.unit,
            HOLDS if claim.holds else FAILS,
        )
        for claim in claims
    ]
    return table("Claims", ("claim", "value", "target", "unit", "verdict"), rows)


def _results(found: ResultTable) -> Table:
    return table(found.title, found.columns, found.rows)


def _background(configuration: Mapping[str, Any]) -> list[Table]:
    machine = versions_and_hardware()
    parts = (
        ("Configuration", configuration),
        ("Machine", machine["hardware"]),
        ("Versions", machine["versions"]),
    )
    return [
        table(
            title,
            ("what", "value"),
            [(key.replace("_", " "), _plain(value)) for key, value in values.items()],
            texts=2,
        )
        for title, values in parts
        if values
    ]


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value)) or "none"
    return number(value)


def _part(shown: Shown) -> str:
    return figure_part(_figure(shown)) if isinstance(shown, Chart) else _pictures(shown)


def _pictures(shown: Pictures) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(row.label)}</th>'
        + "".join(f"<td>{_picture(data, row.label)}</td>" for data in row.pictures)
        + "</tr>"
        for row in shown.rows
    )
    return (
        f"<figure><figcaption><h2>{escape(shown.title)}</h2><p>{escape(shown.caption)}</p>"
        f'</figcaption><div class="wide" tabindex="0" role="region" '
        f'aria-label="{escape(shown.title)}"><table class="pictures"><tbody>{rows}</tbody></table>'
        "</div></figure>"
    )


def _picture(data: bytes, label: str) -> str:
    coded = base64.b64encode(data).decode("ascii")
    return f'<img alt="{escape(label)}" src="data:image/png;base64,{coded}">'


def _figure(chart: Chart) -> Figure:
    colour = colours([series.name for series in chart.series])
    traces = [trace for one in chart.series for trace in _traces(chart, one, colour[one.name])]
    xaxis: Layout = {"title": {"text": escaped(chart.x_label), "standoff": 6}, "zeroline": False}
    if chart.logarithmic_x:
        xaxis |= {"type": "log", "dtick": "D2"}
    if chart.kind == "bars":
        xaxis["type"] = "category"
    return Figure(
        key=re.sub(r"\W+", "-", chart.title.lower()).strip("-"),
        title=chart.title,
        caption=chart.caption,
        data=tuple(traces),
        layout={
            "height": 380,
            "hovermode": "closest",
            "barmode": "group",
            "xaxis": xaxis,
            "yaxis": {"title": {"text": escaped(chart.y_label), "standoff": 6}, "nticks": 8},
        },
        table=_values(chart),
    )


def _traces(chart: Chart, series: Series, colour: str) -> list[Trace]:
    trace: Trace = {
        "name": escaped(series.name),
        "x": list(series.x),
        "y": list(series.y),
        "showlegend": True,
        "marker": {"color": colour, "size": 8},
    }
    if series.low is not None and series.high is not None:
        trace["error_y"] = _interval(series, colour)
    if chart.kind == "bars":
        return [trace | {"type": "bar"}]
    line = {"color": colour, "width": 2 if chart.kind == "lines" else 0}
    return [trace | {"type": "scatter", "mode": _MODES[chart.kind], "line": line}]


def _interval(series: Series, colour: str) -> dict[str, Any]:
    """Return plotly's asymmetric error bars; a value without an interval has none."""
    ends = zip(series.y, series.low or (), series.high or (), strict=True)
    reach = [
        (0.0, 0.0) if None in (y, low, high) else (high - y, y - low)  # type: ignore[operator]
        for y, low, high in ends
    ]
    up, down = zip(*reach, strict=True)
    return {
        "type": "data",
        "symmetric": False,
        "array": list(up),
        "arrayminus": list(down),
        "color": faint(colour, 0.6),
        "thickness": 1.5,
    }


def _values(chart: Chart) -> Table:
    rows = [
        (series.name, _plain(x), *(map(_cell, (y, low, high))))
        for series in chart.series
        for x, y, low, high in zip(
            series.x,
            series.y,
            series.low or [None] * len(series.y),
            series.high or [None] * len(series.y),
            strict=True,
        )
    ]
    columns = ("series", chart.x_label, chart.y_label, "low", "high")
    return table(chart.title, columns, rows, texts=2)


def _cell(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.4g}"
