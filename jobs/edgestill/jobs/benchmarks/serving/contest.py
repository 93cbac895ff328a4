"""The comparison: every side under the same load, in turns, so that noise hits all alike."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edgestill.jobs.benchmarks.serving.amount import ALONE, Amount
from edgestill.jobs.benchmarks.serving.generator import Generator
from edgestill.jobs.benchmarks.serving.sides import Side
from edgestill.jobs.benchmarks.serving.traffic import Traffic

SHARE_OF_SLOWEST = 0.4
"""Arrivals per second at equal load, of what the slowest side answers at most."""

SEED = 7
_WARM_UP_S = 0.5
_WARM_UP_CONNECTIONS = 16

Play = Callable[[Side, int], Traffic]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one side met in one round.

    Attributes:
        per_s: answers per second.
        p50_ms, p99_ms: latency.
        latencies_ms: all, ascending.
        failed: requests without an answer of status 200.
        cpu_ms: of all of the side's processes, for each answer.
    """

    per_s: float
    p50_ms: float
    p99_ms: float
    latencies_ms: Sequence[float]
    failed: int
    cpu_ms: float


Turns = Mapping[str, Sequence[Turn]]
"""By side, one of each round."""


def warm_up(sides: Mapping[str, Side], generator: Generator) -> None:
    """Ask every side for a moment; nothing of it is counted."""
    for side in sides.values():
        generator.closed(side.port, side.path, connections=_WARM_UP_CONNECTIONS, seconds=_WARM_UP_S)


def closed_loops(
    sides: Mapping[str, Side],
    generator: Generator,
    amount: Amount,
    told: Callable[[str], None],
) -> dict[int, Turns]:
    """Return what every side met in closed loops, by the number of connections."""

    def with_connections(connections: int) -> Turns:
        told(f"throughput, {connections} connections")
        return in_turns(
            sides,
            amount.rounds,
            lambda side, _: generator.closed(
                side.port, side.path, connections=connections, seconds=amount.closed_s
            ),
        )

    return {count: with_connections(count) for count in amount.connections}


def open_loops(
    sides: Mapping[str, Side], generator: Generator, amount: Amount, per_s: float
) -> Turns:
    """Return what every side met at the same rate of arrivals; rounds have different moments."""
    return in_turns(
        sides,
        amount.rounds,
        lambda side, number: generator.open(
            side.port, side.path, per_s=per_s, seconds=amount.open_s, seed=SEED + number
        ),
    )


def in_turns(sides: Mapping[str, Side], rounds: int, play: Play) -> Turns:
    """Let every side play in every round; each round begins with another side."""
    turns: dict[str, list[Turn]] = {name: [] for name in sides}
    order = list(sides)
    for number in range(rounds):
        for name in order[number % len(order) :] + order[: number % len(order)]:
            before_s = sides[name].cpu_s()
            traffic = play(sides[name], number)
            turns[name].append(turn_of(traffic, sides[name].cpu_s() - before_s))
    return turns


def turn_of(traffic: Traffic, cpu_s: float) -> Turn:
    """Return the figures of a side's turn."""
    latencies = sorted(1e3 * latency for latency in traffic.latencies_s)
    answered = len(latencies)
    return Turn(
        per_s=answered / traffic.wall_s if traffic.wall_s else 0.0,
        p50_ms=percentile(latencies, 0.5),
        p99_ms=percentile(latencies, 0.99),
        latencies_ms=latencies,
        failed=sum(traffic.statuses.values()) - answered,
        cpu_ms=1e3 * cpu_s / answered if answered else math.nan,
    )


def percentile(ascending: Sequence[float], share: float) -> float:
    """Return the least value that such a share does not exceed (nearest rank); NaN of none."""
    if not ascending:
        return math.nan
    return ascending[max(0, math.ceil(share * len(ascending)) - 1)]


def best_per_s(closed: Mapping[int, Turns], name: str) -> float:
    """Return a side's most answers per second: the median over rounds, at its best."""
    return max(statistics.median(turn.per_s for turn in turns[name]) for turns in closed.values())


def equal_rate_per_s(closed: Mapping[int, Turns]) -> float:
    """Return a rate of arrivals that all sides sustain, in whole tens where it has them."""
    names = [name for name in next(iter(closed.values())) if name != ALONE]
    rate = SHARE_OF_SLOWEST * min(best_per_s(closed, name) for name in names)
    return max(1.0, 10.0 * math.floor(rate / 10.0) if rate >= 10.0 else math.floor(rate))
