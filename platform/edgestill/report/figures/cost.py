"""What it cost: bytes on the links, energy, virtual time, and the devices that took part."""

from collections.abc import Sequence
from typing import Any

from edgestill.report.figures.plot import (
    Figure,
    Trace,
    axis_name,
    column,
    keys_of,
    round_numbers,
    stacked_panels,
)
from edgestill.report.schema import Report
from edgestill.report.table import table
from edgestill.report.theme import LEVELS, MODELS, colours
from edgestill.report.units import amount, duration, number

_LINKS = ("uplink_bytes", "downlink_bytes")
_FATES = {
    "completed": LEVELS["high"],
    "late": LEVELS["low"],
    "failed": LEVELS["critical"],
    "skipped": MODELS["teacher"],
}


def traffic(report: Report) -> Figure | None:
    """Return the bytes of each round by kind, uplink above downlink."""
    rounds = round_numbers(report)
    links = {link: [entry or {} for entry in column(report, link)] for link in _LINKS}
    kinds = keys_of(entry for entries in links.values() for entry in entries)
    if not kinds:
        return None
    colour, seen = colours(kinds), set[str]()
    traces = []
    for panel, entries in enumerate(links.values()):
        for kind in keys_of(entries):
            values = [entry.get(kind, 0) for entry in entries]
            bar = _bars(kind, rounds, values, colour[kind], panel, "%{y:.3s}B")
            traces.append(bar | {"showlegend": kind not in seen})
            seen.add(kind)
    axis = {"tickformat": ".3~s", "ticksuffix": "B", "nticks": 6}
    axes = [("uplink, from the devices", axis), ("downlink, to the devices", axis)]
    return Figure(
        key="traffic",
        title="Bytes by round",
        caption="Everything that crosses a link, framing included, by what it carries. The two "
        "panels have scales of their own.",
        data=tuple(traces),
        layout=stacked_panels(axes, rounds, barmode="stack"),
        table=_traffic_table(rounds, links, kinds),
    )


def _traffic_table(
    rounds: Sequence[int], links: dict[str, list[dict[str, Any]]], kinds: Sequence[str]
) -> Any:
    rows = [
        [str(entry)]
        + [amount(links[link][i].get(kind, 0), "B") for link in _LINKS for kind in kinds]
        for i, entry in enumerate(rounds)
    ]
    names = [f"{side} {kind}" for side in ("up", "down") for kind in kinds]
    return table("Bytes by round", ("round", *names), rows, texts=0)


def spending(report: Report) -> Figure | None:
    """Return energy and virtual time of each round."""
    rounds = round_numbers(report)
    energy, took = column(report, "energy_j"), column(report, "duration_s")
    if all(value is None for value in (*energy, *took)):
        return None
    axes = [
        ("energy of all devices", {"tickformat": ".3~s", "ticksuffix": "J", "nticks": 6}),
        ("virtual time", {"tickformat": "~g", "ticksuffix": " s", "nticks": 6}),
    ]
    bars = (
        _bars("energy", rounds, energy, MODELS["ours"], 0, "%{y:.3s}J"),
        _bars("virtual time", rounds, took, MODELS["ours"], 1, "%{y:.3g} s"),
    )
    walls = column(report, "wall_s")
    rows = [
        [str(n), amount(e, "J"), amount(f, "FLOP"), duration(t), duration(w)]
        for n, e, f, t, w in zip(rounds, energy, column(report, "flops"), took, walls, strict=True)
    ]
    columns = ("round", "energy", "compute", "virtual time", "wall time")
    return Figure(
        key="spending",
        title="Energy and time by round",
        caption="Joules spent by all devices, and the time that the round would take on them "
        "(virtual clock, not the time that the simulation took).",
        data=tuple(bar | {"showlegend": False} for bar in bars),
        layout=stacked_panels(axes, rounds),
        table=table("Energy and time by round", columns, rows, texts=0),
    )


def participation(report: Report) -> Figure | None:
    """Return what became of the devices in each round."""
    rounds = round_numbers(report)
    fates = {fate: column(report, fate) for fate in _FATES}
    if all(value is None for values in fates.values() for value in values):
        return None
    traces = [
        _bars(fate, rounds, values, _FATES[fate], 0, "%{y}")
        for fate, values in fates.items()
        if any(values) or fate == "completed"
    ]
    selected = column(report, "selected")
    rows = [
        [str(n), number(selected[i]), *(number(values[i]) for values in fates.values())]
        for i, n in enumerate(rounds)
    ]
    axes = [("devices", {"tickformat": "d", "nticks": 6})]
    return Figure(
        key="participation",
        title="Devices by round",
        caption="Completed updates were averaged. Late ones missed the deadline, failed ones said "
        "so, skipped devices had no data or were told to rest.",
        data=tuple(traces),
        layout=stacked_panels(axes, rounds, barmode="stack"),
        table=table("Devices by round", ("round", "selected", *fates), rows, texts=0),
    )


def _bars(
    name: str, rounds: Sequence[int], values: Sequence[Any], colour: str, panel: int, hover: str
) -> Trace:
    return {
        "type": "bar",
        "name": name,
        "x": list(rounds),
        "y": list(values),
        "yaxis": axis_name(panel),
        "marker": {"color": colour},
        "showlegend": True,
        "hovertemplate": hover,
    }
