"""The main job: a fleet learns from a teacher, and a report says how well."""

import logging
import shlex
import sys
import uuid
from contextlib import ExitStack
from typing import Any

import ray
from flwr.app import Context, RecordDict

from edgestill.actors import Pool, RayGrid, Teacher, TeacherSource, Telemetry, cluster, start_actor
from edgestill.config import RunConfig
from edgestill.federation import (
    Checkpoint,
    Coordinator,
    KnowledgeSource,
    NoSource,
    Surroundings,
    World,
    make_client_app,
    make_server_app,
    world_of,
)
from edgestill.jobs.comparisons import Peers
from edgestill.jobs.results import build_report
from edgestill.jobs.run_folder import RunFolder
from edgestill.jobs.watching import Watcher
from edgestill.report import show_progress, write_report
from edgestill.telemetry import MetricStore

log = logging.getLogger(__name__)

RUN_ID = 1
"""Flower's; each of our runs has a grid of its own."""


def run_job(
    folder: RunFolder,
    *,
    address: str | None = None,
    resume_from: Checkpoint | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Run a configuration to its end in its folder and return the report that was written.

    Raises:
        InputError: what the user gave is wrong.
        RunError: the run began and could not be finished.
    """
    config = folder.config
    world = world_of(config)
    with ExitStack() as stack:
        with show_progress("starting Ray", total=None, quiet=quiet):
            stack.enter_context(cluster(address, cpus=config.engine.cohorts + 1))
        return _Job(folder, world, quiet).run(resume_from)


class _Job:
    """One run on a connected cluster."""

    def __init__(self, folder: RunFolder, world: World, quiet: bool) -> None:
        self._folder = folder
        self._config: RunConfig = folder.config
        self._world = world
        self._quiet = quiet
        self._store = MetricStore(max_device_series=self._config.telemetry.max_device_series)
        self._telemetry = start_actor(Telemetry, self._config.telemetry, cpus=0)

    def run(self, resume_from: Checkpoint | None) -> dict[str, Any]:
        """Teach, federate, compare, report."""
        port = ray.get(self._telemetry.start.remote())
        log.info("metrics at http://%s:%d/metrics", self._config.telemetry.host, port)
        name = f"teacher-{uuid.uuid4()}"
        teacher = start_actor(Teacher, self._config, self._folder.teacher, cpus=0, name=name)
        self._teach(teacher)
        pool = Pool(
            make_client_app(self._config),
            self._config.engine,
            self._store,
            run_id=RUN_ID,
            fingerprint=self._world.fingerprint,
            teacher=name,
        )
        source = self._source(teacher)
        coordinator = self._federate(pool, source, resume_from)
        peers = Peers(config=self._config, pool=pool, teacher=teacher, quiet=self._quiet)
        report = build_report(
            self._world,
            coordinator.state,
            coordinator.members,
            teacher=ray.get(teacher.report.remote()),
            class_share=source.class_share(),
            comparisons=peers.run(),
            store=self._store,
            projection_bytes=len(source.projection()),
            command=shlex.join(["edgestill", *sys.argv[1:]]),
        )
        self._folder.write_metrics(self._store.exposition())
        write_report(self._folder.path, report)
        return report

    def _teach(self, teacher: Any) -> None:
        epochs = self._config.teacher.epochs
        with show_progress("teacher", total=epochs, quiet=self._quiet) as advance:
            for reference in teacher.lessons.options(num_returns="streaming").remote():
                score = ray.get(reference)
                advance(f"validation accuracy {score.validation_accuracy:.1%}")
        accuracy = ray.get(teacher.report.remote())["accuracy"]
        self._store.set("edgestill_accuracy_ratio", accuracy, model="teacher", split="test")

    def _source(self, teacher: Any) -> KnowledgeSource:
        if self._config.knowledge.selection == "none":
            return NoSource(self._world.dataset.classes)
        return TeacherSource(teacher)

    def _federate(
        self, pool: Pool, source: KnowledgeSource, resume_from: Checkpoint | None
    ) -> Coordinator:
        rounds = self._config.federation.rounds
        with show_progress("rounds", total=rounds, quiet=self._quiet) as advance:
            surroundings = Surroundings(
                world=self._world,
                source=source,
                store=self._store,
                observer=Watcher(advance, self._store, self._telemetry),
                checkpoints=self._folder.checkpoints,
                knowledge_at_fog=True,
            )
            finished: list[Coordinator] = []
            app = make_server_app(
                surroundings, resume_from=resume_from, on_finished=finished.append
            )
            app(RayGrid(pool, self._config.fleet.devices), _server_context())
        return finished[0]


def _server_context() -> Context:
    """Return the context that Flower gives a ServerApp; ours needs nothing from it."""
    return Context(run_id=RUN_ID, node_id=1, node_config={}, state=RecordDict(), run_config={})
