"""How many actors a tier should have: a pure function of its queue and of the cluster's load.

One actor is added or removed at a time, and then the pool rests. Three rules, in this order:

- others crowd the cluster: what they leave of its CPUs falls short of the actors by
  ``CROWDED_CPUS`` or more: remove one;
- the queue is short: one actor fewer would have at most ``IDLE_QUEUE`` pieces of work each: remove
  one;
- the queue is long: more than ``BUSY_QUEUE`` pieces for each actor, the scheduler has a free CPU,
  and one actor more would not crowd the cluster: add one.

Under a load that stays the same none of them undoes another: one actor less never has more than
``IDLE_QUEUE`` < ``BUSY_QUEUE``, and a cluster with room for one more is not crowded with it.
"""

from dataclasses import dataclass
from typing import Literal

from edgestill.config import EngineConfig

BUSY_QUEUE = 8.0
IDLE_QUEUE = 2.0

ROOM_CPUS = 0.5
"""How much of a CPU a new actor may lack: it shares one with what waits most of the time."""

CROWDED_CPUS = 0.75

Action = Literal["grow", "shrink", "keep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolBounds:
    """Between how many actors a pool stays, and how long it rests after a change (real time)."""

    least: int
    most: int
    cool_down_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSignals:
    """What a tier and its cluster are like at one moment.

    Attributes:
        tier: such as ``cohort``.
        actors: at work now, each with one CPU of the scheduler's.
        queue_per_actor: pieces of work that wait or run, for each actor.
        free_cpus: whole CPUs that the scheduler could give to new actors.
        cpus: that the cluster's machines have; None if unknown.
        other_cpu_ratio: share of these that is used by others than this run; None if unknown.
        wall_s: any clock that only goes forward.
    """

    tier: str
    actors: int
    queue_per_actor: float
    free_cpus: int
    cpus: float | None = None
    other_cpu_ratio: float | None = None
    wall_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolDecision:
    """How many actors a tier should have, and why; ``changed_s`` is when that last changed."""

    tier: str
    actors: int
    action: Action
    reason: str
    changed_s: float | None = None


def cohort_bounds(config: EngineConfig, cohorts: int) -> PoolBounds:
    """Return the bounds of the cohorts' pool; without a minimum and a maximum it is fixed.

    Args:
        config: of the engine.
        cohorts: how many there are at first.
    """
    return PoolBounds(
        least=config.cohorts_min or cohorts,
        most=config.cohorts_max or cohorts,
        cool_down_s=config.cool_down_s,
    )


def scale(
    bounds: PoolBounds, signals: PoolSignals, previous: PoolDecision | None = None
) -> PoolDecision:
    """Return the decision for a tier.

    It differs from the present number by one at most, stays within the bounds, never asks for more
    than the free CPUs, and repeats the present number for ``cool_down_s`` after a change.
    """
    changed_s = None if previous is None else previous.changed_s
    action, reason = _wanted(bounds, signals)
    if action != "keep" and changed_s is not None:
        rest_s = changed_s + bounds.cool_down_s - signals.wall_s
        if rest_s > 0:
            action, reason = "keep", f"at rest for {rest_s:.1f} s more; then {action}: {reason}"
    step = {"grow": 1, "shrink": -1, "keep": 0}[action]
    return PoolDecision(
        tier=signals.tier,
        actors=signals.actors + step,
        action=action,
        reason=reason,
        changed_s=signals.wall_s if step else changed_s,
    )


def _wanted(bounds: PoolBounds, signals: PoolSignals) -> tuple[Action, str]:
    queue, actors = signals.queue_per_actor, signals.actors
    room = _room(signals)
    if actors > bounds.least:
        if room is not None and actors >= room + CROWDED_CPUS:
            return "shrink", f"others leave {room:.1f} CPUs for {actors} actors"
        if actors > 1 and queue * actors <= IDLE_QUEUE * (actors - 1):
            return "shrink", f"{queue:.1f} in the queue per actor, {IDLE_QUEUE:g} would be few"
    if queue <= BUSY_QUEUE:
        return "keep", f"{queue:.1f} in the queue per actor"
    why = f"{queue:.1f} in the queue per actor, above {BUSY_QUEUE:g}"
    if actors >= bounds.most:
        return "keep", f"{why}; {bounds.most} actors are the most"
    if signals.free_cpus < 1:
        return "keep", f"{why}; no CPU is free"
    if room is not None and actors + 1 > room + ROOM_CPUS:
        return "keep", f"{why}; others leave {room:.1f} CPUs for {actors} actors"
    return "grow", why


def _room(signals: PoolSignals) -> float | None:
    """Return how many CPUs others leave to this run."""
    if signals.cpus is None or signals.other_cpu_ratio is None:
        return None
    return signals.cpus * (1.0 - min(max(signals.other_cpu_ratio, 0.0), 1.0))
