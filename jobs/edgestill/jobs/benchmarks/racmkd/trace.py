"""A run in which load rises and falls, and the levels follow: on the virtual clock."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgestill.allocation import Decision, GroupSignals, Level, Snapshot, decide
from edgestill.config import AllocationConfig

ROUNDS = 48
INTERVAL_S = 60.0
LOWEST_LOAD, HIGHEST_LOAD = 0.05, 0.93
DAYS = 2
GROUP = "devices"
SLACK = 1.1
"""The deadline is what level critical takes under the highest load, and a tenth more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One round: the CPU's load by others in 0..1, the level it was given and why."""

    time_s: float
    load: float
    level: Level
    reason: str


def follow(config: AllocationConfig, kinds: Sequence[str]) -> list[Moment]:
    """Return what the threshold policy makes of a load that rises and falls twice."""
    moments: list[Moment] = []
    decision: Decision | None = None
    for number in range(ROUNDS):
        load = load_at(number / ROUNDS)
        snapshot = Snapshot(
            round_number=number + 1,
            time_s=number * INTERVAL_S,
            groups={
                GROUP: GroupSignals(
                    cpu_ratio=load, free_memory_bytes=1e9, battery_ratio=1.0, temperature_c=30.0
                )
            },
        )
        decision = decide(config, kinds, snapshot, decision)
        moments.append(
            Moment(
                time_s=snapshot.time_s,
                load=load,
                level=decision.allocations[GROUP].level,
                reason=decision.reasons[GROUP],
            )
        )
    return moments


def load_at(share: float) -> float:
    """Return the load at a share of the run, 0..1."""
    wave = 0.5 - 0.5 * math.cos(math.tau * DAYS * share)
    return LOWEST_LOAD + (HIGHEST_LOAD - LOWEST_LOAD) * wave


def served(
    moments: Sequence[Moment], accuracy: Mapping[str, float], latency_ms: Mapping[str, float]
) -> dict[str, Any]:
    """Return what following the load brings, beside keeping any one level.

    A level's latency grows as 1 / (1 - load), the share of the CPU that is left. An answer after
    the deadline counts as wrong.

    Args:
        moments: of the run.
        accuracy: by level, 0..1.
        latency_ms: by level, on an idle CPU.
    """
    deadline_ms = SLACK * latency_ms[Level.CRITICAL.value] / (1.0 - HIGHEST_LOAD)

    def of(levels: Sequence[str]) -> dict[str, float]:
        taken = [
            latency_ms[level] / (1.0 - moment.load)
            for level, moment in zip(levels, moments, strict=True)
        ]
        right = [
            accuracy[level] if took <= deadline_ms else 0.0
            for level, took in zip(levels, taken, strict=True)
        ]
        return {
            "accuracy_in_time": sum(right) / len(right),
            "missed_ratio": sum(took > deadline_ms for took in taken) / len(taken),
            "mean_latency_ms": sum(taken) / len(taken),
        }

    return {
        "deadline_ms": deadline_ms,
        "follows": of([moment.level.value for moment in moments]),
        **{f"always_{level.value}": of([level.value] * len(moments)) for level in Level},
    }
