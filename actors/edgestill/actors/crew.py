"""The cohorts of a pool: which are starting, which have started, and where.

One that is starting gets no work. The node that it starts on decides its fog.
"""

import logging
import time
from collections.abc import Collection
from typing import Any

import ray
from flwr.clientapp import ClientApp

from edgestill.actors.cluster import start_actor
from edgestill.actors.cohort import Cohort
from edgestill.actors.fogs import Fogs, Post
from edgestill.actors.placement import Demand, Placement
from edgestill.actors.telemetry import Place
from edgestill.errors import RunError
from edgestill.telemetry import log_fields

log = logging.getLogger(__name__)

START_TIMEOUT_S = 120.0

NOT_THERE = (ray.exceptions.RayActorError, ray.exceptions.ActorUnschedulableError)


class Crew:
    """Starts cohorts and knows their places.

    Args:
        app: what the devices run.
        run_id: Flower's.
        fingerprint: of the model.
        demand: what each cohort reserves.
        placement: the CPUs reserved for the first cohorts; the others take any free ones.
        fogs: of the cohorts.

    Attributes:
        cohorts: by number, which may have gaps.
        app: reference to what they run now.
        fingerprint: of the model of that.
        places: node and process of those that have started.
    """

    def __init__(
        self,
        app: ClientApp,
        *,
        run_id: int,
        fingerprint: int,
        demand: Demand,
        placement: Placement | None,
        fogs: Fogs,
    ) -> None:
        self._run_id = run_id
        self._demand = demand
        self._placement = placement
        self._fogs = fogs
        self._starting: dict[int, Any] = {}
        self._none_open_since_s = 0.0
        self.app = ray.put(app)
        self.fingerprint = fingerprint
        self.places: dict[int, Place] = {}
        self.cohorts: dict[int, Any] = {}

    def fog_of(self, cohort: int) -> Post:
        """Return the fog of a cohort that has started."""
        return self._fogs.of(self.places[cohort][0], cohort)

    def starting(self) -> list[Any]:
        """Return references that come when a cohort has started."""
        return list(self._starting.values())

    def use(self, app: ClientApp, fingerprint: int) -> None:
        """Let all cohorts run another app from now on; those that start later start with it."""
        self.app, self.fingerprint = ray.put(app), fingerprint
        told = {n: cohort.use.remote(self.app, fingerprint) for n, cohort in self.cohorts.items()}
        for number in self.places:
            try:
                ray.get(told[number])
            except NOT_THERE:
                continue  # who sends to it finds out

    def new(self, index: int) -> tuple[Any, Any]:
        """Start an actor for a number; return it, and a reference that comes when it has."""
        actor = start_actor(
            Cohort,
            self.app,
            self._run_id,
            self.fingerprint,
            self._demand.device,
            cpus=1,
            gpus=self._demand.gpus,
            restarts=0,
            placement=None if self._placement is None else self._placement.of(index),
        )
        return actor, actor.ready.remote()

    def start(self, numbers: Collection[int]) -> None:
        """Start cohorts, those with these numbers anew.

        They are killed first where they are there. With nobody left to work, waiting begins.
        """
        for number in numbers:
            self.remove(number)
            self.cohorts[number], self._starting[number] = self.new(number)
        if not self.places:
            self._none_open_since_s = time.monotonic()

    def admit(self, number: int, actor: Any, place: Place) -> None:
        """Let a cohort that has started take work."""
        self.cohorts[number], self.places[number] = actor, place
        actor.join.remote(self.fog_of(number).actor)

    def remove(self, number: int) -> None:
        """Kill a cohort, if it is there, and forget it."""
        if number in self.cohorts:
            ray.kill(self.cohorts.pop(number))
        self.places.pop(number, None)
        self._starting.pop(number, None)

    def settle(self) -> list[int]:
        """Admit the cohorts that have started since; return those that could not start.

        Raises:
            RunError: there has been no cohort at work for ``START_TIMEOUT_S``.
        """
        failed = []
        for number in self._come():
            try:
                self.admit(number, self.cohorts[number], ray.get(self._starting.pop(number)))
            except NOT_THERE as error:
                failed.append(number)
                with log_fields(stage="pool"):
                    log.warning("cohort %d did not start: %s", number, type(error).__name__)
        if not self.places and time.monotonic() - self._none_open_since_s > START_TIMEOUT_S:
            raise RunError(self._too_few(len(self.cohorts)))
        return failed

    def wait_until_ready(self) -> None:
        """Wait for all cohorts.

        Raises:
            RunError: some have not started in ``START_TIMEOUT_S``.
        """
        waiting = self.starting()
        ready, late = ray.wait(waiting, num_returns=len(waiting), timeout=START_TIMEOUT_S)
        if late:
            raise RunError(self._too_few(len(late)))
        ray.get(ready)
        self.settle()

    def _come(self) -> list[int]:
        references = self.starting()
        if not references:
            return []
        ready = set(ray.wait(references, num_returns=len(references), timeout=0)[0])
        return [number for number, one in self._starting.items() if one in ready]

    def _too_few(self, late: int) -> str:
        cpus = ray.cluster_resources().get("CPU", 0)  # type: ignore[no-untyped-call]
        return (
            f"{late} of {len(self.cohorts)} actors did not start in {START_TIMEOUT_S:.0f} s; "
            f"engine.cohorts asks for {len(self.cohorts)} CPUs, the cluster has {cpus:.0f}"
        )
