"""The actors of a run: started together, replaced when dead or stuck, more or fewer with the load.

A cohort's number decides its reserved CPU, and is taken again by the next cohort that comes. What a
fleet learns does not depend on how many cohorts there are, or where, at any time: sums are exact.
"""

import logging
import time
from collections.abc import Collection, Mapping
from itertools import count
from typing import Any

import ray
from flwr.clientapp import ClientApp

from edgestill.actors.crew import NOT_THERE, Crew
from edgestill.actors.elastic import Newcomer, Scaler
from edgestill.actors.fogs import Fogs, Post
from edgestill.actors.placement import Placement, demand
from edgestill.actors.telemetry import ClusterWatch
from edgestill.allocation import cohort_bounds
from edgestill.config import EngineConfig
from edgestill.telemetry import MetricStore, log_fields

log = logging.getLogger(__name__)

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
        store: where restarts and changes are counted.
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
        self._demand = demand(config)
        size = self._demand.cohorts if placement is None else placement.bundles
        self.store = store
        self._watch = watch
        self._draining: dict[int, str] = {}
        self._newcomer: Newcomer | None = None
        self._scaler = Scaler(
            tier="cohort",
            bounds=cohort_bounds(config, size),
            store=store,
            load=(lambda: None) if watch is None else watch.load,
            least=size,
            most=size,
        )
        self._fogs = Fogs(teacher, config.fogs)
        self._crew = Crew(
            app,
            run_id=run_id,
            fingerprint=fingerprint,
            demand=self._demand,
            placement=placement,
            fogs=self._fogs,
        )
        self._crew.start(range(size))
        self._crew.wait_until_ready()
        self._count()
        store.inc("edgestill_actor_restarts_total", 0, tier="cohort")
        for action in ("grow", "shrink"):
            store.inc("edgestill_pool_changes_total", 0, tier="cohort", action=action)

    @property
    def cohorts(self) -> Mapping[int, Any]:
        """All cohorts by number; the numbers may have gaps."""
        return self._crew.cohorts

    def fog_of(self, cohort: int) -> Post:
        """Return the fog of a cohort that has started."""
        return self._crew.fog_of(cohort)

    def node_of(self, cohort: int) -> str:
        """Return the node of the cluster that a cohort has started on."""
        return self._crew.places[cohort][0]

    def may_be_lost(self, node: str, fog: Post) -> bool:
        """Return whether sums of a cohort on a node can be lost while the driver lives."""
        return self._fogs.may_be_lost(node, fog)

    def starting(self) -> list[Any]:
        """Return references that come when a cohort has started."""
        return self._crew.starting()

    def open(self) -> list[int]:
        """Return the cohorts that take work, ascending."""
        return sorted(self._crew.places.keys() - self._draining.keys())

    def use(self, app: ClientApp, fingerprint: int) -> None:
        """Let all cohorts run another app from now on."""
        self._crew.use(app, fingerprint)

    def settle(self) -> None:
        """Let the cohorts that have started since take work; never waits for one."""
        for cohort in self._crew.settle():
            self.replace(cohort)

    def replace(self, cohort: int) -> None:
        """Put a new actor in the place of a dead or stuck one; one that was to go just goes."""
        if cohort in self._draining:
            self._remove(cohort)
            return
        self._crew.start([cohort])
        self._fogs.prune()
        self.store.inc("edgestill_actor_restarts_total", tier="cohort")
        with log_fields(stage="pool"):
            log.warning("cohort %d was replaced", cohort)

    def adapt(self, *, work: int, busy: Collection[int]) -> None:
        """Let cohorts come and go with the load; never waits for one.

        Args:
            work: messages that wait or run.
            busy: cohorts that have work under way, which are not removed now.
        """
        self.settle()
        self._welcome()
        # A resumed run takes its metrics from the checkpoint, these too.
        self._count()
        if self._newcomer is None and not self._draining:
            decision = self._scaler.decide(
                actors=len(self.cohorts), work=work, idle_bundles=self._idle_bundles()
            )
            if decision is not None:
                (self.grow if decision.action == "grow" else self.shrink)(decision.reason)
        for cohort in sorted(self._draining.keys() - set(busy)):
            self._remove(cohort)

    def grow(self, reason: str) -> None:
        """Start one more cohort; it gets work once it is ready, if that is soon."""
        index = next(number for number in count() if number not in self.cohorts)
        actor, ready = self._crew.new(index)
        self._newcomer = Newcomer(
            index=index,
            actor=actor,
            ready=ready,
            app=self._crew.app,
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
            self._watch.report({**waiting, **queues}, self._crew.places.values)

    def report(self) -> dict[str, Any]:
        """Return how large the pool was, and each change with its reason."""
        return self._scaler.report()

    def engine(self) -> dict[str, Any]:
        """Return the report's row of the engine: cohorts at first, fogs now, device, pool."""
        return {
            "cohorts": self._demand.cohorts,
            "fogs": len(self._fogs.posts),
            "device": self._demand.device,
            "pool": self.report(),
        }

    def close(self) -> None:
        """End all actors of the pool."""
        if self._newcomer is not None:
            ray.kill(self._newcomer.actor)
        for actor in self.cohorts.values():
            ray.kill(actor)
        self._fogs.close()

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
        except NOT_THERE as error:
            self._give_up(newcomer, type(error).__name__)

    def _take_in(self, newcomer: Newcomer) -> None:
        self._newcomer = None
        if newcomer.app is not self._crew.app:
            newcomer.actor.use.remote(self._crew.app, self._crew.fingerprint)
        self._crew.admit(newcomer.index, newcomer.actor, ray.get(newcomer.ready))
        self._changed("grow", newcomer.index, newcomer.reason)

    def _give_up(self, newcomer: Newcomer, why: str) -> None:
        self._newcomer = None
        ray.kill(newcomer.actor)
        with log_fields(stage="pool"):
            log.warning("cohort %d was not added: %s", newcomer.index, why)

    def _remove(self, cohort: int) -> None:
        self._crew.remove(cohort)
        self._changed("shrink", cohort, self._draining.pop(cohort))

    def _changed(self, action: str, cohort: int, reason: str) -> None:
        self._scaler.changed(action, len(self.cohorts), reason)
        self._count()
        with log_fields(stage="pool"):
            log.info("%s to %d cohorts (number %d): %s", action, len(self.cohorts), cohort, reason)

    def _idle_bundles(self) -> int:
        if self._placement is None:
            return 0
        return self._placement.bundles - sum(c < self._placement.bundles for c in self.cohorts)

    def _count(self) -> None:
        self.store.set("edgestill_actors", len(self._crew.places), tier="cohort")
        self.store.set("edgestill_actors", len(self._fogs.posts), tier="fog")
