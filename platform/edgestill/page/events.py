"""What a run tells its page: plain frozen values, in the order in which they happened."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["done", "failed", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """Means over a group as they were exported; None where there is none.

    Attributes:
        cpu_ratio: share of the CPU that others ask for, 0..1.
        free_memory_bytes: what a training process may use.
        battery_ratio: charge, 0..1.
        temperature_c: of the part that throttles.
    """

    cpu_ratio: float | None = None
    free_memory_bytes: float | None = None
    battery_ratio: float | None = None
    temperature_c: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """The metrics that the page shows as they stand.

    Attributes:
        devices: by group.
        vitals: by group.
        levels: level by group.
        states: by group, how it was decided: ``fresh``, ``held`` or ``safe``.
        actors: actors alive by tier.
        restarts: actors replaced by tier.
        devices_lost: devices whose work was lost with an actor.
        epsilon: privacy spent so far by what was released; infinite when unbounded.
        teacher_accuracy: 0..1.
    """

    devices: Mapping[str, int] = field(default_factory=dict)
    vitals: Mapping[str, Vitals] = field(default_factory=dict)
    levels: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    actors: Mapping[str, int] = field(default_factory=dict)
    restarts: Mapping[str, int] = field(default_factory=dict)
    devices_lost: int = 0
    epsilon: Mapping[str, float] = field(default_factory=dict)
    teacher_accuracy: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A run begins.

    Attributes:
        name: of the configuration.
        folder: the run's.
        rounds: how many are to be played.
        profiles: device profile by group, in the configuration's order.
        policy: the allocator's.
        delta: at which epsilon is stated.
        epsilon_budget: what may be spent; None without a budget.
        started_s: Unix time.
    """

    name: str
    folder: str
    rounds: int
    profiles: Mapping[str, str]
    policy: str
    delta: float
    epsilon_budget: float | None
    started_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StageAdvanced:
    """A stage (teacher, rounds, a comparison) began, moved on, or ended at ``done == total``."""

    stage: str
    done: int
    total: int | None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundStarted:
    """A round's messages are about to be sent."""

    round_number: int
    participants: int
    gauges: Gauges


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundEnded:
    """A round is over.

    Attributes:
        row: its row of ``report.json``.
        gauges: at its end; None for a round that was played before the run was taken up again.
    """

    row: Mapping[str, Any]
    gauges: Gauges | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of the log; ``time_s`` is Unix time, fields that do not apply are empty."""

    time_s: float
    level: str
    text: str
    round_number: str = ""
    device: str = ""
    stage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """The run is over.

    Attributes:
        outcome: how.
        said: one line: what came of it, or why it ended.
        report: path of the report; None where there is none.
        ended_s: Unix time.
    """

    outcome: Outcome
    said: str
    report: str | None
    ended_s: float


Event = RunStarted | StageAdvanced | RoundStarted | RoundEnded | LogLine | RunEnded
