"""The tables of the page: fleet, decisions, rounds, log, privacy, engine."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from markupsafe import Markup

from edgestill.page.cells import chip, facts, meter, nothing_yet, row, strip, table
from edgestill.page.events import LogLine, Vitals
from edgestill.page.view import MOST_DECISIONS, MOST_LINES, Choice, RunView
from edgestill.report.theme import LEVELS
from edgestill.report.units import NOTHING, amount, duration, number, percent

_FIGURE, _TEXT, _WIDE = "figure", "", "wide-text"

_FLEET = (
    ("group", _TEXT),
    ("level", _TEXT),
    ("over the rounds", _TEXT),
    ("profile", _TEXT),
    ("devices", _FIGURE),
    ("trained at", _TEXT),
    ("CPU", _FIGURE),
    ("battery", _FIGURE),
    ("free memory", _FIGURE),
    ("temperature", _FIGURE),
    ("energy", _FIGURE),
    ("slowest", _FIGURE),
)
_DECISIONS = (
    ("round", _FIGURE),
    ("group", _TEXT),
    ("level", _TEXT),
    ("signals", _TEXT),
    ("because", _WIDE),
)
_ROUNDS = (
    ("round", _FIGURE),
    ("accuracy", _FIGURE),
    ("loss", _FIGURE),
    ("devices", _FIGURE),
    ("late", _FIGURE),
    ("unfit", _FIGURE),
    ("failed", _FIGURE),
    ("up", _FIGURE),
    ("down", _FIGURE),
    ("energy", _FIGURE),
    ("virtual", _FIGURE),
    ("real", _FIGURE),
    ("mode", _TEXT),
    ("staleness", _FIGURE),
)
_LINES = (
    ("UTC", _TEXT),
    ("level", _TEXT),
    ("round", _FIGURE),
    ("device", _FIGURE),
    ("stage", _TEXT),
    ("message", _WIDE),
)


def fleet(view: RunView) -> Markup:
    """Return one row a group: its level now and over the rounds, its vitals, what it spent."""
    if view.run is None:
        return nothing_yet("The fleet is not known yet.")
    rows = [_group(view, group, profile) for group, profile in view.run.profiles.items()]
    return table("Groups of the fleet", _FLEET, rows)


def _group(view: RunView, group: str, profile: str) -> Markup:
    gauges = view.gauges
    level, vitals = gauges.levels.get(group), gauges.vitals.get(group, Vitals())
    last = view.rows[0] if view.rows else {}
    spent = last.get("by_group", {}).get(group, {})
    cells = (
        group,
        NOTHING if level is None else chip(level),
        strip(view.points, group),
        profile.replace("_", " "),
        number(gauges.devices.get(group)),
        _trained_at(last.get("devices_by_level", {}).get(group, {})),
        meter(vitals.cpu_ratio),
        meter(vitals.battery_ratio),
        amount(_known(vitals.free_memory_bytes), "B"),
        _celsius(vitals.temperature_c),
        amount(spent.get("energy_j"), "J"),
        duration(spent.get("duration_s")),
    )
    return row(_FLEET, cells)


def _trained_at(by_level: Mapping[str, int]) -> str:
    """Return how many devices of the last round trained at which level, after their own say."""
    named = [f"{by_level[level]} {level}" for level in LEVELS if by_level.get(level)]
    return ", ".join(named) or NOTHING


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _celsius(value: float | None) -> str:
    known = _known(value)
    return NOTHING if known is None else f"{known:.1f} °C"


def decisions(view: RunView) -> Markup:
    """Return the last decisions, newest first; those that changed a level stand out."""
    if not view.decisions:
        return nothing_yet("Nothing has been decided yet.")
    return table("The last decisions", _DECISIONS, map(_decision, view.decisions))


@lru_cache(maxsize=MOST_DECISIONS)
def _decision(choice: Choice) -> Markup:
    cells = (
        choice.round_number,
        choice.group,
        chip(choice.level) + _from(choice.before),
        _state(choice.state),
        choice.reason,
    )
    return row(_DECISIONS, cells, mark="changed" if choice.before else "")


def _from(before: str | None) -> Markup:
    if before is None:
        return Markup("")
    return Markup(' <span class="before soft">from {}</span>').format(before)


def _state(state: str) -> Markup:
    return Markup('<span class="signals {}">{}</span>').format(state, state or NOTHING)


def rounds(view: RunView) -> Markup:
    """Return the figures of the last rounds, newest first."""
    if not view.rows:
        return nothing_yet("No round has finished yet.")
    return table("The last rounds", _ROUNDS, [row(_ROUNDS, _figures(one)) for one in view.rows])


def _figures(one: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        str(one["round"]),
        percent(one["accuracy"]),
        number(one["loss"]),
        f"{one['completed']} of {one['selected']}",
        *(str(one[key]) for key in ("late", "skipped", "failed")),
        amount(sum(one["uplink_bytes"].values()), "B"),
        amount(sum(one["downlink_bytes"].values()), "B"),
        amount(one["energy_j"], "J"),
        duration(one["duration_s"]),
        duration(one["wall_s"]),
        one.get("mode", NOTHING),
        _staleness(one.get("buffer")),
    )


def _staleness(buffer: Mapping[str, Any] | None) -> str:
    """Return mean and maximum over the updates of a buffered round."""
    if buffer is None:
        return NOTHING
    return f"{buffer['staleness_mean']:.1f}, at most {buffer['staleness_max']}"


def log(lines: Sequence[LogLine]) -> Markup:
    """Return these lines of the log."""
    if not lines:
        return nothing_yet("No line of the log fits.")
    return table("Lines of the log, newest first", _LINES, map(_line, lines))


@lru_cache(maxsize=MOST_LINES)
def _line(line: LogLine) -> Markup:
    time = datetime.fromtimestamp(line.time_s, UTC).strftime("%H:%M:%S")
    cells = (time, line.level, line.round_number, line.device, line.stage, line.text)
    return row(_LINES, cells, mark=line.level.lower())


def privacy(view: RunView) -> Markup:
    """Return epsilon spent so far by what is released."""
    spent = view.gauges.epsilon
    if view.run is None or not spent:
        return nothing_yet("Nothing has been released yet.")
    budget = view.run.epsilon_budget
    pairs: list[tuple[str, object]] = [
        (what, _epsilon(value, budget)) for what, value in spent.items()
    ]
    pairs.append(
        ("budget", "none set" if budget is None else f"\N{GREEK SMALL LETTER EPSILON} {budget:g}")
    )
    pairs.append(("at delta", f"{view.run.delta:g}"))
    return facts(pairs)


def _epsilon(value: float, budget: float | None) -> Markup:
    if math.isinf(value):
        return Markup('<span class="alarm">unbounded</span>')
    kind = "alarm" if budget is not None and value > budget else ""
    return Markup('<span class="{}">&epsilon; {:.3g}</span>').format(kind, value)


def engine(view: RunView) -> Markup:
    """Return actors by tier, those replaced, and devices lost with them."""
    gauges = view.gauges
    if not gauges.actors:
        return nothing_yet("No actor has started yet.")
    pairs: list[tuple[str, object]] = [
        (f"{tier} actors", number(count)) for tier, count in gauges.actors.items()
    ]
    pairs += [(f"{tier} restarts", _alarming(count)) for tier, count in gauges.restarts.items()]
    pairs.append(("devices lost", _alarming(gauges.devices_lost)))
    return facts(pairs)


def _alarming(count: int) -> Markup:
    return Markup('<span class="{}">{}</span>').format("alarm" if count else "", number(count))
