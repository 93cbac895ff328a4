"""What was learned: accuracy beside its comparisons, the loss terms and their coefficients."""

from collections.abc import Mapping, Sequence
from typing import Any

from edgestill.report.figures.plot import (
    Figure,
    Trace,
    axis_name,
    column,
    keys_of,
    round_numbers,
    rounds_axis,
    stacked_panels,
)
from edgestill.report.schema import Report
from edgestill.report.table import table
from edgestill.report.theme import MODELS, colours, faint
from edgestill.report.units import NOTHING, number, percent

_MARKS = {"ours": "circle", "fedavg": "square", "cloud_only": "diamond"}
_DASHES = {"teacher": "dash", "local_only": "dot", "fedavg": "solid", "cloud_only": "solid"}


def accuracy(report: Report) -> Figure | None:
    """Return accuracy by round, the teacher and the comparisons as lines beside it."""
    rounds, ours = round_numbers(report), column(report, "accuracy")
    if all(value is None for value in ours):
        return None
    series, flat, band = _series(report, ours), _flat(report), _band(report, rounds)
    traces = [_line(name, rounds, values) for name, values in series.items()]
    traces += [_level(name, rounds, value) for name, value in flat.items()]
    axis = {"tickformat": ".0%", "rangemode": "normal", "nticks": 8}
    return Figure(
        key="accuracy",
        title="Accuracy by round",
        caption="Share of the test part answered rightly after each round. The teacher is the "
        "mark to reach; fedavg has no teacher, cloud_only no devices, local_only no others.",
        data=(*band, *traces),
        layout={"height": 360, "xaxis": rounds_axis(rounds), "yaxis": axis},
        table=_accuracy_table(rounds, series, flat),
    )


def _series(report: Report, ours: list[Any]) -> dict[str, list[Any]]:
    found = {"ours": ours}
    for name, part in (report.get("comparisons") or {}).items():
        if part.get("accuracy_by_round"):
            found[name] = list(part["accuracy_by_round"])[: len(ours)]
    return found


def _flat(report: Report) -> dict[str, float]:
    """Return what has one accuracy and no history."""
    parts = {"teacher": report.get("teacher") or {}, **(report.get("comparisons") or {})}
    return {
        name: part["accuracy"]
        for name, part in parts.items()
        if part.get("accuracy") is not None and not part.get("accuracy_by_round")
    }


def _line(name: str, rounds: Sequence[int], values: Sequence[Any]) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": list(rounds[: len(values)]),
        "y": list(values),
        "line": {"color": MODELS.get(name), "width": 3 if name == "ours" else 2},
        "marker": {"symbol": _MARKS.get(name, "circle"), "size": 7},
        "showlegend": True,
        "hovertemplate": "%{y:.1%}",
    }


def _level(name: str, rounds: Sequence[int], value: float) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [rounds[0] - 0.5, *rounds, rounds[-1] + 0.5],
        "y": [value] * (len(rounds) + 2),
        "line": {"color": MODELS.get(name), "width": 2, "dash": _DASHES.get(name, "dot")},
        "showlegend": True,
        "hovertemplate": "%{y:.1%}",
    }


def _band(report: Report, rounds: Sequence[int]) -> list[Trace]:
    local = (report.get("comparisons") or {}).get("local_only") or {}
    low, high = local.get("accuracy_low"), local.get("accuracy_high")
    if low is None or high is None:
        return []
    left, right = rounds[0] - 0.5, rounds[-1] + 0.5
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [left, right, right, left],
            "y": [low, low, high, high],
            "fill": "toself",
            "fillcolor": faint(MODELS["local_only"], 0.15),
            "line": {"width": 0},
            "name": "local_only, lowest to highest",
            "showlegend": True,
            "legendrank": 2000,  # drawn first, to lie under the lines; named last
            "hoverinfo": "skip",
        }
    ]


def _accuracy_table(
    rounds: Sequence[int], series: Mapping[str, Sequence[Any]], flat: Mapping[str, float]
) -> Any:
    rows = [
        [str(entry)]
        + [percent(v[i]) if i < len(v) else NOTHING for v in series.values()]
        + [percent(value) for value in flat.values()]
        for i, entry in enumerate(rounds)
    ]
    return table("Accuracy by round", ("round", *series, *flat), rows, texts=0)


def losses(report: Report) -> Figure | None:
    """Return the terms of the loss by round, before their coefficients."""
    rounds, terms = round_numbers(report), column(report, "loss_terms")
    names = keys_of(terms)
    if not names:
        return None
    colour = colours(names)
    values = {name: [(entry or {}).get(name) for entry in terms] for name in names}
    rows = [
        [str(entry), *(number(values[name][i]) for name in names)] for i, entry in enumerate(rounds)
    ]
    return Figure(
        key="losses",
        title="Loss terms",
        caption="Mean of each term over the devices of a round, before its coefficient; each panel "
        "has its own scale.",
        data=tuple(
            _term(name, rounds, values[name], colour[name], panel)
            for panel, name in enumerate(names)
        ),
        layout=stacked_panels([(name, {"nticks": 5}) for name in names], rounds, panel_px=140),
        table=table("Loss terms", ("round", *names), rows, texts=0),
    )


def _term(
    name: str, rounds: Sequence[int], values: Sequence[Any], colour: str, panel: int
) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": list(rounds),
        "y": list(values),
        "yaxis": axis_name(panel),
        "line": {"color": colour, "width": 2},
        "hovertemplate": "%{y:.4g}",
    }


def coefficients(report: Report) -> Figure | None:
    """Return the resource-dependent coefficients of each group by round, one panel per term."""
    rounds, entries = round_numbers(report), column(report, "coefficients")
    groups = keys_of(entries)
    terms = keys_of(group for entry in entries for group in (entry or {}).values())
    if not terms:
        return None
    colour = colours(groups)
    traces = [
        _coefficient(group, rounds, entries, term, index)
        | {"line": {"color": colour[group], "width": 2}}
        for index, term in enumerate(terms)
        for group in groups
    ]
    rows = [
        [str(number_), group, *(number((entry or {}).get(group, {}).get(t)) for t in terms)]
        for number_, entry in zip(rounds, entries, strict=True)
        for group in groups
    ]
    return Figure(
        key="coefficients",
        title="Loss coefficients",
        caption="What each group's devices weigh each term by. Under pressure distill and resource "
        "rise, align falls, task stays.",
        data=tuple(traces),
        layout=stacked_panels([(term, {"nticks": 5}) for term in terms], rounds, panel_px=140),
        table=table("Loss coefficients", ("round", "group", *terms), rows, texts=2),
    )


def _coefficient(
    group: str, rounds: Sequence[int], entries: Sequence[Any], term: str, panel: int
) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": group,
        "showlegend": panel == 0,
        "x": list(rounds),
        "y": [(entry or {}).get(group, {}).get(term) for entry in entries],
        "yaxis": axis_name(panel),
        "hovertemplate": "%{y:.3g}",
    }
