"""The actors of a run: started together, replaced when dead or stuck, more or fewer with the load.

A cohort's number decides its fog and its reserved CPU, and is taken again by the next cohort that
comes. What a fleet learns does not depend on how many cohorts there are, at any time: sums are
exact.
"""

import logging
import time
from collections.abc import Collection, Mapping
from itertools import count
from typing import Any

import ray
from flwr.clientapp import ClientApp

from edgestill.actors.cluster import start_actor
from edgestill.actors.cohort import Cohort
from edgestill.actors.elastic import Newcomer, Scaler
from edgestill.actors.fog import Fog
from edgestill.actors.placement import Placement
from edgestill.actors.telemetry import ClusterWatch, Place
from edgestill.allocation import cohort_bounds
from edgestill.config import EngineConfig
from edgestill.errors import RunError
from edgestill.telemetry import MetricStore, log_fields

log = logging.getLogger(__name__)

START_TIMEOUT_S = 120.0
GROW_TIMEOUT_S = 30.0
"""An actor that is added to a running pool and is not ready by then is given up."""


class Pool:
    """Cohorts and fogs of one federation.

    Args:
        app: what the devices run.
        config: how many actors.
        store: where restarts and changes are counted.
        run_id: Flower's.
        fingerprint: of the model.
        teacher: name of the teacher's actor; None where no knowledge is asked for.
        placement: the CPUs reserved for the first cohorts; the others take any free ones.
        watch: over the cluster's load; None where nobody measures it.

    Attributes:
        cohorts: by number, which may have gaps.
    """

    def __init__(
        self,
        app: ClientApp,
        config: EngineConfig,
        store: MetricStore,
        *,
        run_id: int,
        fingerprint: int,
        teacher: str | None = None,
        placement: Placement | None = None,
        watch: ClusterWatch | None = None,
    ) -> None:
        self._placement = placement
        self._store = store
        self._app = ray.put(app)
        self._run_id = run_id
        self._watch = watch
        self._places: dict[int, Any] = {}
        self._draining: dict[int, str] = {}
        self._newcomer: Newcomer | None = None
        self._scaler = Scaler(
            tier="cohort",
            bounds=cohort_bounds(config),
            store=store,
            load=(lambda: None) if watch is None else watch.load,
            least=config.cohorts,
            most=config.cohorts,
        )
        self.fingerprint = fingerprint
        self.fogs = [start_actor(Fog, teacher, cpus=0) for _ in range(config.fogs)]
        self.cohorts = {index: self._new_cohort(index) for index in range(config.cohorts)}
        self._wait_until_ready()
        store.set("edgestill_actors", config.fogs, tier="fog")
        store.set("edgestill_actors", config.cohorts, tier="cohort")
        store.inc("edgestill_actor_restarts_total", 0, tier="cohort")
        for action in ("grow", "shrink"):
            store.inc("edgestill_pool_changes_total", 0, tier="cohort", action=action)

    def fog_of(self, cohort: int) -> int:
        """Return the number of the fog that a cohort belongs to."""
        return cohort % len(self.fogs)

    def open(self) -> list[int]:
        """Return the cohorts that take work, ascending."""
        return sorted(self.cohorts.keys() - self._draining.keys())

    def use(self, app: ClientApp, fingerprint: int) -> None:
        """Let all cohorts run another app from now on."""
        self._app, self.fingerprint = ray.put(app), fingerprint
        ray.get([cohort.use.remote(self._app, fingerprint) for cohort in self.cohorts.values()])

    def replace(self, cohort: int) -> None:
        """Put a new actor in the place of a dead or stuck one; one that was to go just goes."""
        ray.kill(self.cohorts[cohort])
        if cohort in self._draining:
            self._remove(cohort)
            return
        self.cohorts[cohort] = self._new_cohort(cohort)
        self._store.inc("edgestill_actor_restarts_total", tier="cohort")
        with log_fields(stage="pool"):
            log.warning("cohort %d was replaced", cohort)

    def adapt(self, *, work: int, busy: Collection[int]) -> None:
        """Let cohorts come and go with the load; never waits for one.

        Args:
            work: messages that wait or run.
            busy: cohorts that have work under way, which are not removed now.
        """
        self._welcome()
        # A resumed run takes its metrics from the checkpoint, this one too.
        self._store.set("edgestill_actors", len(self.cohorts), tier="cohort")
        if self._newcomer is None and not self._draining:
            decision = self._scaler.decide(
                actors=len(self.cohorts), work=work, idle_bundles=self._idle_bundles()
            )
            if decision is not None:
                (self.grow if decision.action == "grow" else self.shrink)(decision.reason)
        for cohort in sorted(self._draining.keys() - set(busy)):
            ray.kill(self.cohorts[cohort])
            self._remove(cohort)

    def grow(self, reason: str) -> None:
        """Start one more cohort; it gets work once it is ready, if that is soon."""
        index = next(number for number in count() if number not in self.cohorts)
        actor = self._new_cohort(index)
        self._newcomer = Newcomer(
            index=index,
            actor=actor,
            ready=self._places.pop(index),
            app=self._app,
            until_s=time.monotonic() + GROW_TIMEOUT_S,
            reason=reason,
        )

    def shrink(self, reason: str) -> None:
        """Give the last cohort no more work; it goes when nothing is under way in it."""
        self._draining[self.open()[-1]] = reason

    def report_queues(self, queues: Mapping[int, int]) -> None:
        """Tell the exporter how many devices each cohort holds."""
        if self._watch is not None:
            waiting = dict.fromkeys(self.cohorts, 0)
            self._watch.report({**waiting, **queues}, self._known_places)

    def report(self) -> dict[str, Any]:
        """Return how large the pool was, and each change with its reason."""
        return self._scaler.report()

    def close(self) -> None:
        """End all actors of the pool."""
        if self._newcomer is not None:
            ray.kill(self._newcomer.actor)
        for actor in (*self.cohorts.values(), *self.fogs):
            ray.kill(actor)

    def _new_cohort(self, index: int) -> Any:
        actor = start_actor(
            Cohort,
            self._app,
            self.fogs[self.fog_of(index)],
            self._run_id,
            self.fingerprint,
            cpus=1,
            restarts=0,
            placement=None if self._placement is None else self._placement.of(index),
        )
        self._places[index] = actor.ready.remote()
        return actor

    def _welcome(self) -> None:
        """Take the newcomer in when it is ready, or give it up."""
        newcomer = self._newcomer
        if newcomer is None:
            return
        try:
            if newcomer.has_started():
                self._take_in(newcomer)
            elif time.monotonic() > newcomer.until_s:
                self._give_up(newcomer, f"not ready in {GROW_TIMEOUT_S:.0f} s")
        except ray.exceptions.RayActorError as error:
            self._give_up(newcomer, type(error).__name__)

    def _take_in(self, newcomer: Newcomer) -> None:
        self._newcomer = None
        if newcomer.app is not self._app:
            newcomer.actor.use.remote(self._app, self.fingerprint)
        self.cohorts[newcomer.index] = newcomer.actor
        self._places[newcomer.index] = newcomer.ready
        self._changed("grow", newcomer.index, newcomer.reason)

    def _give_up(self, newcomer: Newcomer, why: str) -> None:
        self._newcomer = None
        ray.kill(newcomer.actor)
        with log_fields(stage="pool"):
            log.warning("cohort %d was not added: %s", newcomer.index, why)

    def _remove(self, cohort: int) -> None:
        del self.cohorts[cohort], self._places[cohort]
        self._changed("shrink", cohort, self._draining.pop(cohort))

    def _changed(self, action: str, cohort: int, reason: str) -> None:
        self._scaler.changed(action, len(self.cohorts), reason)
        self._store.set("edgestill_actors", len(self.cohorts), tier="cohort")
        with log_fields(stage="pool"):
            log.info("%s to %d cohorts (number %d): %s", action, len(self.cohorts), cohort, reason)

    def _idle_bundles(self) -> int:
        if self._placement is None:
            return 0
        return self._placement.bundles - sum(c < self._placement.bundles for c in self.cohorts)

    def _known_places(self) -> list[Place]:
        """Return where the cohorts are that are known to have started."""
        ready, _ = ray.wait(list(self._places.values()), num_returns=len(self._places), timeout=0)
        places = []
        for reference in ready:
            try:
                places.append(ray.get(reference))
            except ray.exceptions.RayActorError:
                continue  # it died before it was ready; who sends to it finds out
        return places

    def _wait_until_ready(self) -> None:
        waiting = [*(fog.ready.remote() for fog in self.fogs), *self._places.values()]
        ready, late = ray.wait(waiting, num_returns=len(waiting), timeout=START_TIMEOUT_S)
        if late:
            cpus = ray.cluster_resources().get("CPU", 0)  # type: ignore[no-untyped-call]
            raise RunError(
                f"{len(late)} of {len(waiting)} actors did not start in {START_TIMEOUT_S:.0f} s; "
                f"engine.cohorts asks for {len(self.cohorts)} CPUs, the cluster has {cpus:.0f}"
            )
        ray.get(ready)
