"""The replicas of a service: a least number of them, more under load, the dead replaced.

How many there should be is the allocator's to say (:func:`edgestill.allocation.scale`), from the
number of requests that wait or run in each replica: asked of the replicas, or of a Prometheus
server. Ray spreads them over the nodes.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ray

from edgestill.actors.cluster import start_actor
from edgestill.actors.elastic import free_cpus
from edgestill.actors.serving.replica import Bound, Endpoint, Load, Replica
from edgestill.allocation import PoolBounds, PoolDecision, PoolSignals, scale
from edgestill.errors import RunError

log = logging.getLogger(__name__)

START_TIMEOUT_S = 120.0
ANSWER_TIMEOUT_S = 5.0
RELOAD_TIMEOUT_S = 60.0
DRAIN_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class _Running:
    actor: Any
    bound: Bound


@dataclass(frozen=True, slots=True)
class _Starting:
    """A replica on its way: what it loads, its answer when it listens, when it is given up."""

    actor: Any
    load: Load
    bound: Any
    until_s: float


class Replicas:
    """Starts, watches, scales and drains replicas; a single thread may use it.

    Args:
        load: builds the model in each replica; whoever calls has tried it.
        endpoint: where they listen.
        bounds: how many there may be.
        queue: requests that wait or run in each replica, from Prometheus; where it is None, or
            gives None, the replicas are asked.
    """

    def __init__(
        self,
        load: Load,
        endpoint: Endpoint,
        bounds: PoolBounds,
        *,
        queue: Callable[[], float | None] | None = None,
    ) -> None:
        self._load = load
        self._endpoint = endpoint
        self._bounds = bounds
        self._queue = queue
        self._running: list[_Running] = []
        self._starting: list[_Starting] = []
        self._decision: PoolDecision | None = None

    @property
    def bound(self) -> Sequence[Bound]:
        """Where the replicas are that listen."""
        return [running.bound for running in self._running]

    def start(self) -> Sequence[Bound]:
        """Start the least number of replicas, and return where they are.

        Raises:
            InputError: the port cannot be bound.
            RunError: a replica does not start.
        """
        self._add()
        self._running.append(_listening(self._starting.pop()))
        # The first may have chosen the port.
        self._endpoint = replace(self._endpoint, port=self._running[0].bound.port)
        for _ in range(self._bounds.least - 1):
            self._add()
        while self._starting:
            self._running.append(_listening(self._starting.pop(0)))
        return self.bound

    def look(self) -> None:
        """Replace replicas that died, and add or remove one if the load asks for it.

        A new replica is not waited for: a later look takes it in.
        """
        queue = self._living_queue()
        self._take_in()
        for _ in range(self._bounds.least - self._count):
            self._add()
        signals = PoolSignals(
            tier="serving",
            actors=self._count,
            queue_per_actor=queue,
            free_cpus=int(free_cpus()),
            wall_s=time.monotonic(),
        )
        self._decision = scale(self._bounds, signals, self._decision)
        if self._decision.action == "keep" or self._starting:
            return
        log.info("%s to %d replicas: %s", *_said(self._decision))
        if self._decision.action == "grow":
            self._add()
        else:
            _stop([self._running.pop().actor])

    def reload(self, load: Load) -> None:
        """Let all replicas serve another model; no request is lost.

        Args:
            load: builds it; whoever calls has tried it.
        """
        self._load = load
        if not self._running:
            return
        asked = [running.actor.reload.remote(load) for running in self._running]
        done, late = ray.wait(asked, num_returns=len(asked), timeout=RELOAD_TIMEOUT_S)
        for reference in done:
            try:
                ray.get(reference)
            except ray.exceptions.RayActorError as error:
                log.warning("a replica died while it loaded: %s", type(error).__name__)
        if late:
            log.warning("%d replicas have not loaded in %g s", len(late), RELOAD_TIMEOUT_S)

    def close(self) -> None:
        """Drain all replicas and end them."""
        for starting in self._starting:
            ray.kill(starting.actor)
        running, self._running, self._starting = self._running, [], []
        _stop([one.actor for one in running])

    @property
    def _count(self) -> int:
        return len(self._running) + len(self._starting)

    def _add(self) -> None:
        actor = start_actor(
            Replica, self._load, self._endpoint, cpus=1, restarts=0, placement="SPREAD"
        )
        bound = actor.start.remote(self._endpoint.port)
        until_s = time.monotonic() + START_TIMEOUT_S
        self._starting.append(_Starting(actor, self._load, bound, until_s))

    def _take_in(self) -> None:
        """Move replicas that listen by now to those that run; let go of those that never will."""
        waiting, self._starting = self._starting, []
        for one in waiting:
            ready = bool(ray.wait([one.bound], timeout=0)[0])
            if not ready and time.monotonic() < one.until_s:
                self._starting.append(one)
                continue
            try:
                running = _listening(one)
            except (RunError, ray.exceptions.RayError) as error:
                log.warning("a replica did not start: %s", str(error).partition("\n")[0])
                ray.kill(one.actor)
                continue
            if one.load is not self._load:
                running.actor.reload.remote(self._load)
            log.info("replica %d listens on %s", running.bound.pid, running.bound.node)
            self._running.append(running)
            if self._decision is not None:
                # The pool rests from now on, however long it took to start.
                self._decision = replace(self._decision, changed_s=time.monotonic())

    def _living_queue(self) -> float:
        """Return the requests in each replica; those that do not answer are let go."""
        asked = [(running, running.actor.under_way.remote()) for running in self._running]
        counts, living = [], []
        for running, reference in asked:
            try:
                counts.append(ray.get(reference, timeout=ANSWER_TIMEOUT_S))
                living.append(running)
            except (ray.exceptions.RayActorError, ray.exceptions.GetTimeoutError) as error:
                log.warning("replica %d is gone: %s", running.bound.pid, type(error).__name__)
                ray.kill(running.actor)
        self._running = living
        measured = None if self._queue is None else self._queue()
        return sum(counts) / max(1, len(counts)) if measured is None else measured


def _listening(starting: _Starting) -> _Running:
    """Wait until a replica listens."""
    left_s = max(0.0, starting.until_s - time.monotonic())
    try:
        return _Running(starting.actor, ray.get(starting.bound, timeout=left_s))
    except ray.exceptions.GetTimeoutError as error:
        ray.kill(starting.actor)
        raise RunError(
            f"a replica has not started in {START_TIMEOUT_S:g} s; are there free CPUs?"
        ) from error


def _stop(actors: Sequence[Any]) -> None:
    if drained := [actor.stop.remote() for actor in actors]:
        ray.wait(drained, num_returns=len(drained), timeout=DRAIN_TIMEOUT_S)
    for actor in actors:
        ray.kill(actor)


def _said(decision: PoolDecision) -> tuple[str, int, str]:
    return decision.action, decision.actors, decision.reason
