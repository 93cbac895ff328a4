"""A run as its page shows it: one frozen value, and how each event changes it.

Nothing grows with the length of a run: of the log the newest lines are kept, of the decisions the
newest, and the history is thinned where it gets long.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from edgestill.page.events import (
    Event,
    Gauges,
    LogLine,
    RoundEnded,
    RoundStarted,
    RunEnded,
    RunStarted,
    StageAdvanced,
)

MOST_LINES = 500
MOST_DECISIONS = 200
MOST_POINTS = 400
MOST_ROWS = 50

SEVERITIES = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A finished round in the history; bytes and joules are sums from the first round on.

    Attributes:
        bytes: sent on all links, both ways.
        levels: level by group.
    """

    round_number: int
    accuracy: float
    bytes: float
    uplink_bytes: float
    energy_j: float
    time_s: float
    levels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was decided for a group in a round, and why.

    Attributes:
        before: the level before, if it was another.
        state: ``fresh``, ``held`` or ``safe``; empty where that was not said.
    """

    round_number: int
    group: str
    level: str
    before: str | None
    state: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """Everything that the page shows.

    Attributes:
        run: None until the run has begun.
        stages: how far each stage has come, in the order in which they began.
        round_number: the round under way, or the last one.
        participants: of the round under way; None between rounds.
        gauges: the newest.
        points: the history, thinned.
        decisions: of the last rounds, newest first.
        rows: the report's rows of the last rounds, newest first.
        lines: of the log, newest first.
        end: None while the run goes on.
    """

    run: RunStarted | None = None
    stages: tuple[StageAdvanced, ...] = ()
    round_number: int = 0
    participants: int | None = None
    gauges: Gauges = field(default_factory=Gauges)
    points: tuple[Point, ...] = ()
    decisions: tuple[Choice, ...] = ()
    rows: tuple[Mapping[str, Any], ...] = ()
    lines: tuple[LogLine, ...] = ()
    end: RunEnded | None = None


def fold(view: RunView, event: Event) -> RunView:
    """Return the view after an event."""
    match event:
        case RunStarted():
            return replace(view, run=event)
        case StageAdvanced():
            return replace(view, stages=_advanced(view.stages, event))
        case RoundStarted():
            return replace(
                view,
                round_number=event.round_number,
                participants=event.participants,
                gauges=event.gauges,
            )
        case RoundEnded():
            return _after_round(view, event)
        case LogLine():
            return replace(view, lines=(event, *view.lines)[:MOST_LINES])
        case RunEnded():
            return replace(view, end=event, participants=None)


def matching(lines: Sequence[LogLine], text: str, level: str) -> list[LogLine]:
    """Return the lines of at least this level in which each word of ``text`` occurs.

    Words are looked for in ``round=3 device=17 stage=train message``, whatever their case.
    """
    words, least = text.lower().split(), SEVERITIES.index(level)
    return [
        line
        for line in lines
        if (line.level not in SEVERITIES or SEVERITIES.index(line.level) >= least)
        and all(word in _searched(line) for word in words)
    ]


def thinned(points: tuple[Point, ...], most: int = MOST_POINTS) -> tuple[Point, ...]:
    """Return at most ``most`` points: where there are more, every other one, and the newest."""
    return points if len(points) <= most else (*points[:-1:2], points[-1])


def _advanced(stages: tuple[StageAdvanced, ...], event: StageAdvanced) -> tuple[StageAdvanced, ...]:
    if all(stage.stage != event.stage for stage in stages):
        return (*stages, event)
    return tuple(event if stage.stage == event.stage else stage for stage in stages)


def _after_round(view: RunView, event: RoundEnded) -> RunView:
    row, gauges = event.row, event.gauges or view.gauges
    states = row.get("decision_states") or gauges.states
    last = view.points[-1] if view.points else None
    return replace(
        view,
        round_number=row["round"],
        participants=None,
        gauges=gauges,
        points=thinned((*view.points, _point(row, last))),
        decisions=(*_choices(row, last, states), *view.decisions)[:MOST_DECISIONS],
        rows=(row, *view.rows)[:MOST_ROWS],
    )


def _point(row: Mapping[str, Any], last: Point | None) -> Point:
    uplink = sum(row["uplink_bytes"].values())
    everything = uplink + sum(row["downlink_bytes"].values())
    return Point(
        round_number=row["round"],
        accuracy=row["accuracy"],
        bytes=everything + (last.bytes if last else 0),
        uplink_bytes=uplink + (last.uplink_bytes if last else 0),
        energy_j=row["energy_j"] + (last.energy_j if last else 0),
        time_s=row["time_s"],
        levels=row["levels"],
    )


def _choices(row: Mapping[str, Any], last: Point | None, states: Mapping[str, str]) -> list[Choice]:
    before = last.levels if last else {}
    return [
        Choice(
            round_number=row["round"],
            group=group,
            level=level,
            before=before.get(group) if before.get(group) != level else None,
            state=states.get(group, ""),
            reason=row["reasons"].get(group, ""),
        )
        for group, level in row["levels"].items()
    ]


def _searched(line: LogLine) -> str:
    fields = {"round": line.round_number, "device": line.device, "stage": line.stage}
    named = [f"{name}={value}" for name, value in fields.items() if value]
    return " ".join([*named, line.text]).lower()
