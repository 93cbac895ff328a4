"""The replicas of a service: one at least on each node, more under load, the dead replaced.

How many there should be is the allocator's to say (:func:`edgestill.allocation.scale`), from the
number of requests that wait for each replica: asked of the replicas, or of a Prometheus server.
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
DRAIN_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class _Running:
    actor: Any
    bound: Bound


class Replicas:
    """Starts, watches, scales and drains replicas; a single thread may use it.

    Args:
        load: builds the model in each replica.
        endpoint: where they listen.
        bounds: how many there may be.
        queue: requests that wait for each replica, from Prometheus; None has the replicas asked.
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
        self._decision: PoolDecision | None = None

    @property
    def bound(self) -> Sequence[Bound]:
        """Where the replicas are."""
        return [running.bound for running in self._running]

    def start(self) -> Sequence[Bound]:
        """Start the least number of replicas, and return where they are.

        Raises:
            InputError: the port cannot be bound.
            RunError: a replica does not start.
        """
        self._add()  # the first chooses the port
        for _ in range(self._bounds.least - 1):
            self._add()
        return self.bound

    def look(self) -> None:
        """Replace replicas that died, and add or remove one if the load asks for it."""
        queue = self._living_queue()
        for _ in range(self._bounds.least - len(self._running)):
            self._add()
        signals = PoolSignals(
            tier="serving",
            actors=len(self._running),
            queue_per_actor=queue,
            free_cpus=int(free_cpus()),
            wall_s=time.monotonic(),
        )
        self._decision = scale(self._bounds, signals, self._decision)
        if self._decision.action == "keep":
            return
        log.info("%s to %d replicas: %s", *_said(self._decision))
        if self._decision.action == "grow":
            self._add()
        else:
            self._stop([self._running.pop()])

    def reload(self, load: Load) -> None:
        """Let all replicas serve another model; no request is lost.

        Raises:
            EdgestillError: the model cannot be loaded; those that serve go on with the old one.
        """
        ray.get([running.actor.reload.remote(load) for running in self._running])
        self._load = load

    def close(self) -> None:
        """Drain all replicas and end them."""
        running, self._running = self._running, []
        self._stop(running)

    def _add(self) -> None:
        actor = start_actor(
            Replica, self._load, self._endpoint, cpus=1, restarts=0, placement="SPREAD"
        )
        try:
            bound = ray.get(actor.start.remote(self._endpoint.port), timeout=START_TIMEOUT_S)
        except ray.exceptions.GetTimeoutError as error:
            ray.kill(actor)
            raise RunError(
                f"a replica has not started in {START_TIMEOUT_S:g} s; are there free CPUs?"
            ) from error
        if not self._endpoint.port:
            self._endpoint = replace(self._endpoint, port=bound.port)
        self._running.append(_Running(actor, bound))

    def _living_queue(self) -> float:
        """Return the requests that wait for each replica; those that do not answer are let go."""
        asked = [(running, running.actor.waiting.remote()) for running in self._running]
        waiting, living = [], []
        for running, reference in asked:
            try:
                waiting.append(ray.get(reference, timeout=ANSWER_TIMEOUT_S))
                living.append(running)
            except (ray.exceptions.RayActorError, ray.exceptions.GetTimeoutError) as error:
                log.warning("replica %d is gone: %s", running.bound.pid, type(error).__name__)
                ray.kill(running.actor)
        self._running = living
        measured = None if self._queue is None else self._queue()
        return sum(waiting) / max(1, len(waiting)) if measured is None else measured

    def _stop(self, running: Sequence[_Running]) -> None:
        drained = [one.actor.stop.remote() for one in running]
        ray.wait(drained, num_returns=len(drained), timeout=DRAIN_TIMEOUT_S)
        for one in running:
            ray.kill(one.actor)


def _said(decision: PoolDecision) -> tuple[str, int, str]:
    return decision.action, decision.actors, decision.reason
