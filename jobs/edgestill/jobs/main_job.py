"""The main job: a fleet learns from a teacher, and a report says how well."""

import logging
import math
import shlex
import sys
import uuid
from contextlib import ExitStack, closing
from typing import Any

import ray
from flwr.app import Context, RecordDict

from edgestill.actors import (
    ClusterWatch,
    Placement,
    Pool,
    RayGrid,
    Teacher,
    TeacherSource,
    Telemetry,
    cluster,
    demand,
    ending,
    here,
    reserved,
    start_actor,
    submission,
)
from edgestill.allocation import PrometheusSource, SignalSource, prometheus_server
from edgestill.config import RunConfig
from edgestill.federation import (
    FIRST_NODE_ID,
    Checkpoint,
    Coordinator,
    KnowledgeSource,
    NoSource,
    Surroundings,
    World,
    evaluate_personally,
    make_client_app,
    make_server_app,
    world_of,
)
from edgestill.jobs.comparisons import Peers
from edgestill.jobs.results import build_report
from edgestill.jobs.run_folder import RunFolder
from edgestill.jobs.submission import archive_name, as_nodes_see_it, pack
from edgestill.jobs.watching import Stages, Watcher, audience_of
from edgestill.monitoring import address_of, announced, targets_folder
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
    ui_port: int | None = None,
) -> dict[str, Any]:
    """Run a configuration to its end in its folder and return the report that was written.

    With a ``ui_port`` (0 takes a free one) a page on this machine shows the run as it goes.

    Raises:
        InputError: what the user gave is wrong.
        RunError: the run began and could not be finished.
    """
    config = as_nodes_see_it(folder.config)
    world = world_of(config)
    with ExitStack() as stack:
        with show_progress("starting Ray", total=None, quiet=quiet):
            logs = stack.enter_context(cluster(address, cpus=(config.engine.cohorts or 0) + 1))
        if (job := submission()) is not None:
            stack.callback(pack, folder.path, logs / archive_name(job.id))
        audience = stack.enter_context(audience_of(folder, ui_port, resume_from))
        stages = Stages(quiet=quiet, audience=audience)
        with stages.show("waiting for CPUs", total=None):
            asked = demand(config.engine)
            placement = stack.enter_context(reserved(asked.cohorts, asked.gpus))
        report = _Job(folder, world, placement, stages).run(resume_from)
        if audience is not None:
            audience.finished(report["final"]["accuracy"], str(folder.path / "report.html"))
        return report


class _Job:
    """One run on a connected cluster."""

    def __init__(
        self, folder: RunFolder, world: World, placement: Placement, stages: Stages
    ) -> None:
        self._folder = folder
        self._config: RunConfig = world.config
        self._world = world
        self._placement = placement
        self._stages = stages
        self._store = MetricStore(max_device_series=self._config.telemetry.max_device_series)
        self._telemetry = start_actor(Telemetry, self._config.telemetry, cpus=0, placement=here())
        self._teacher_name = f"teacher-{uuid.uuid4()}"
        self._run_label = f"{self._config.name}-{uuid.uuid4().hex[:8]}"

    def run(self, resume_from: Checkpoint | None) -> dict[str, Any]:
        """Export under the run's label, and tell Prometheus where as long as the run goes."""
        config = self._config.telemetry
        with ExitStack() as stack:
            telemetry = stack.enter_context(ending(self._telemetry))
            exporter = address_of(config.host, ray.get(telemetry.start.remote()))
            log.info("metrics of %s at http://%s/metrics", self._run_label, exporter)
            targets = targets_folder(config.targets_path)
            stack.enter_context(announced(targets, self._run_label, exporter))
            teacher = stack.enter_context(ending(self._start_teacher()))
            self._teach(teacher)
            pool = stack.enter_context(closing(self._start_pool()))
            return self._play(teacher, pool, resume_from)

    def _start_teacher(self) -> Any:
        return start_actor(
            Teacher,
            self._config,
            self._folder.teacher,
            "cuda" if self._placement.gpus else "cpu",
            cpus=0,
            gpus=self._placement.gpus,
            name=self._teacher_name,
            placement=self._placement.teacher,
        )

    def _start_pool(self) -> Pool:
        return Pool(
            make_client_app(self._config),
            self._config.engine,
            self._store,
            run_id=RUN_ID,
            fingerprint=self._world.fingerprint,
            teacher=self._teacher_name,
            placement=self._placement,
            watch=ClusterWatch(self._telemetry),
        )

    def _play(self, teacher: Any, pool: Pool, resume_from: Checkpoint | None) -> dict[str, Any]:
        """Federate, compare, report."""
        source = self._source(teacher)
        coordinator, personal = self._federate(pool, source, resume_from)
        peers = Peers(config=self._config, pool=pool, teacher=teacher, stages=self._stages)
        report = build_report(
            self._world,
            coordinator.state,
            coordinator.members,
            teacher=ray.get(teacher.report.remote()),
            class_share=source.class_share(),
            comparisons=peers.run(),
            personal=personal,
            engine=pool.engine(),
            store=self._store,
            projection_bytes=len(source.projection()),
            command=shlex.join(["edgestill", *sys.argv[1:]]),
        )
        self._folder.write_metrics(self._store.exposition())
        write_report(self._folder.path, report)
        return report

    def _teach(self, teacher: Any) -> None:
        epochs = self._config.teacher.epochs
        with self._stages.show("teacher", total=epochs) as advance:
            for reference in teacher.lessons.options(num_returns="streaming").remote():
                score = ray.get(reference)
                advance(f"validation accuracy {score.validation_accuracy:.1%}")
        accuracy = ray.get(teacher.report.remote())["accuracy"]
        self._store.set("edgestill_accuracy_ratio", accuracy, model="teacher", split="test")

    def _source(self, teacher: Any) -> KnowledgeSource:
        if self._config.knowledge.selection == "none":
            return NoSource(self._world.dataset.classes)
        return TeacherSource(teacher)

    def _signals(self) -> SignalSource | None:
        """Return the metrics server to decide from; None is this process's own metrics."""
        server = prometheus_server(self._config.allocation)
        if server is None or self._config.allocation.policy == "static":
            return None
        return PrometheusSource(
            server=server,
            signals=self._config.allocation.signals,
            groups=[group.name for group in self._config.fleet.groups],
            run_label=self._run_label,
        )

    def _federate(
        self, pool: Pool, source: KnowledgeSource, resume_from: Checkpoint | None
    ) -> tuple[Coordinator, dict[str, Any]]:
        """Play the rounds, then compare personal students with the global one."""
        grid, rounds = self._grid(pool), self._config.federation.rounds
        with self._stages.show("rounds", total=rounds) as advance:
            surroundings = Surroundings(
                world=self._world,
                source=source,
                store=self._store,
                observer=Watcher(advance, self._store, self._telemetry, self._stages.audience),
                checkpoints=self._folder.checkpoints,
                knowledge_at_fog=True,
                signals=self._signals(),
            )
            finished: list[Coordinator] = []
            app = make_server_app(
                surroundings, resume_from=resume_from, on_finished=finished.append
            )
            app(grid, _server_context())
        # No round is under way any more, so none can stall.
        self._store.set("edgestill_round_started_timestamp_seconds", math.nan)
        self._telemetry.update.remote(self._store.snapshot())
        return finished[0], self._personal(grid, surroundings, finished[0])

    def _personal(
        self, grid: RayGrid, surroundings: Surroundings, coordinator: Coordinator
    ) -> dict[str, Any]:
        if self._world.held_out is None:
            return {}
        with self._stages.show("personal students", total=None):
            return evaluate_personally(grid, surroundings, coordinator.state, coordinator.members)

    def _grid(self, pool: Pool) -> RayGrid:
        size_of = self._world.owned.size_of
        return RayGrid(
            pool,
            self._config.fleet.devices,
            examples_of=lambda node_id: size_of(node_id - FIRST_NODE_ID),
        )


def _server_context() -> Context:
    """Return the context that Flower gives a ServerApp; ours needs nothing from it."""
    return Context(run_id=RUN_ID, node_id=1, node_config={}, state=RecordDict(), run_config={})
