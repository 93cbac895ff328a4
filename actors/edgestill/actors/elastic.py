"""When the pool looks at the cluster, what it decides, and the record of what it changed."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import ray

from edgestill.actors.nodes import ClusterLoad
from edgestill.allocation import PoolBounds, PoolDecision, PoolSignals, scale
from edgestill.telemetry import MetricStore

LOOK_EVERY_S = 0.5
"""A look asks Ray for its free CPUs, which takes a millisecond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """An actor on its way, not yet given any work.

    Attributes:
        index: its number in the pool.
        actor: its handle.
        ready: reference to the answer that it gives when it has started.
        app: what it runs at first.
        until_s: monotonic time after which it is given up.
        reason: why it was asked for.
    """

    index: int
    actor: Any
    ready: Any
    app: Any
    until_s: float
    reason: str

    def has_started(self) -> bool:
        """Return whether it is ready for work, without waiting.

        Raises:
            ray.exceptions.RayActorError: it died on the way.
        """
        if not ray.wait([self.ready], timeout=0)[0]:
            return False
        ray.get(self.ready)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolChange:
    """One actor that came or went: seconds since the pool's start, how many there are then."""

    wall_s: float
    action: str
    actors: int
    reason: str


@dataclass(slots=True, kw_only=True)
class Scaler:
    """Decides for one tier, and remembers.

    Attributes:
        tier: name of the tier in the metrics.
        bounds: of the pool.
        store: where changes are counted.
        load: the newest load of the cluster, without waiting; None where nobody measures it.
        least: fewest actors so far.
        most: most actors so far.
        changes: all so far.
    """

    tier: str
    bounds: PoolBounds
    store: MetricStore
    load: Callable[[], ClusterLoad | None]
    least: int
    most: int
    changes: list[PoolChange] = field(default_factory=list)
    _decision: PoolDecision | None = None
    _next_look_s: float = 0.0
    _began_s: float = field(default_factory=time.monotonic)

    def decide(self, *, actors: int, work: int, idle_bundles: int) -> PoolDecision | None:
        """Return a decision to change the number of actors; None to leave it.

        Args:
            actors: at work now.
            work: messages that wait or run.
            idle_bundles: CPUs that are reserved for this tier and hold no actor.
        """
        now_s = time.monotonic()
        if self.bounds.least == self.bounds.most or now_s < self._next_look_s:
            return None
        self._next_look_s = now_s + LOOK_EVERY_S
        load = self.load()
        signals = PoolSignals(
            tier=self.tier,
            actors=actors,
            queue_per_actor=work / actors,
            free_cpus=idle_bundles + int(free_cpus()),
            cpus=None if load is None else load.cpus,
            other_cpu_ratio=None if load is None else load.other_cpu_ratio,
            wall_s=now_s,
        )
        self._decision = scale(self.bounds, signals, self._decision)
        return None if self._decision.action == "keep" else self._decision

    def changed(self, action: str, actors: int, reason: str) -> None:
        """Enter a change that has come about; the pool rests from now on, however long it took."""
        if self._decision is not None:
            self._decision = replace(self._decision, changed_s=time.monotonic())
        self.least, self.most = min(self.least, actors), max(self.most, actors)
        wall_s = time.monotonic() - self._began_s
        self.changes.append(PoolChange(wall_s=wall_s, action=action, actors=actors, reason=reason))
        self.store.inc("edgestill_pool_changes_total", tier=self.tier, action=action)

    def report(self) -> dict[str, Any]:
        """Return the fewest and the most actors, and each change with its reason."""
        return {
            "least": self.least,
            "most": self.most,
            "changes": [asdict(change) for change in self.changes],
        }


def free_cpus() -> float:
    """Return the CPUs that Ray could give to new actors."""
    free: dict[str, float] = ray.available_resources()  # type: ignore[no-untyped-call]
    return free.get("CPU", 0.0)
