"""The actors of a run: started together, and a dead or stuck cohort replaced by a new one."""

import logging
from typing import Any

import ray
from flwr.clientapp import ClientApp

from edgestill.actors.cluster import start_actor
from edgestill.actors.cohort import Cohort
from edgestill.actors.fog import Fog
from edgestill.config import EngineConfig
from edgestill.errors import RunError
from edgestill.telemetry import MetricStore, log_fields

log = logging.getLogger(__name__)

START_TIMEOUT_S = 120.0


class Pool:
    """Cohorts and fogs of one federation.

    Args:
        app: what the devices run.
        config: how many actors.
        store: where restarts are counted.
        run_id: Flower's.
        fingerprint: of the model.
        teacher: name of the teacher's actor; None where no knowledge is asked for.
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
    ) -> None:
        self._store = store
        self._app = ray.put(app)
        self._run_id = run_id
        self.fingerprint = fingerprint
        self.fogs = [start_actor(Fog, teacher, cpus=0) for _ in range(config.fogs)]
        self.cohorts = [self._new_cohort(index) for index in range(config.cohorts)]
        self._wait_until_ready()
        store.set("edgestill_actors", config.fogs, tier="fog")
        store.set("edgestill_actors", config.cohorts, tier="cohort")
        store.inc("edgestill_actor_restarts_total", 0, tier="cohort")

    def fog_of(self, cohort: int) -> Any:
        """Return the fog that a cohort belongs to."""
        return self.fogs[cohort % len(self.fogs)]

    def use(self, app: ClientApp, fingerprint: int) -> None:
        """Let all cohorts run another app from now on."""
        self._app, self.fingerprint = ray.put(app), fingerprint
        ray.get([cohort.use.remote(self._app, fingerprint) for cohort in self.cohorts])

    def replace(self, cohort: int) -> None:
        """Put a new actor in the place of a dead or stuck one."""
        ray.kill(self.cohorts[cohort])
        self.cohorts[cohort] = self._new_cohort(cohort)
        self._store.inc("edgestill_actor_restarts_total", tier="cohort")
        with log_fields(stage="pool"):
            log.warning("cohort %d was replaced", cohort)

    def close(self) -> None:
        """End all actors of the pool."""
        for actor in (*self.cohorts, *self.fogs):
            ray.kill(actor)

    def _new_cohort(self, index: int) -> Any:
        fog, fingerprint = self.fog_of(index), self.fingerprint
        return start_actor(Cohort, self._app, fog, self._run_id, fingerprint, cpus=1, restarts=0)

    def _wait_until_ready(self) -> None:
        waiting = [actor.ready.remote() for actor in (*self.fogs, *self.cohorts)]
        ready, late = ray.wait(waiting, num_returns=len(waiting), timeout=START_TIMEOUT_S)
        if late:
            cpus = ray.cluster_resources().get("CPU", 0)  # type: ignore[no-untyped-call]
            raise RunError(
                f"{len(late)} of {len(waiting)} actors did not start in {START_TIMEOUT_S:.0f} s; "
                f"engine.cohorts asks for {len(self.cohorts)} CPUs, the cluster has {cpus:.0f}"
            )
        ray.get(ready)
