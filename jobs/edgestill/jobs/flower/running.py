"""An app on a fleet: its ServerApp in a thread here, its ClientApps in the cohorts' actors."""

import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from flwr.app import Context, RecordDict
from flwr.serverapp import ServerApp
from numpy.typing import NDArray

from edgestill.actors import ClusterWatch, Placement, Pool, RayGrid, cluster, reserved
from edgestill.config import EngineConfig
from edgestill.errors import RunError
from edgestill.federation.foreign import (
    AppGrid,
    ForeignApp,
    Round,
    RoundBook,
    at_home,
    load_client_app,
    load_server_app,
    seed_everything,
)
from edgestill.jobs.flower.project import AppProject, read_project
from edgestill.jobs.flower.recording import Recording, recorded
from edgestill.telemetry import MetricStore

log = logging.getLogger(__name__)

RUN_ID = 1
SERVER_NODE_ID = 1
DEFAULT_SEED = 7
DEFAULT_TIMEOUT_S = 3600.0
"""As long as Flower's strategies wait by themselves."""

LEAVE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How an app is to be run.

    Attributes:
        project: the app.
        devices: how many there are, at least 1.
        cohorts: actors that run them; None is one for each CPU, at most one for each device.
        seed: of the run.
        timeout_s: real seconds after which a device without a reply is given up.
        address: of a Ray cluster, ``HOST:PORT``; None is this machine.
    """

    project: AppProject
    devices: int
    cohorts: int | None = None
    seed: int = DEFAULT_SEED
    timeout_s: float = DEFAULT_TIMEOUT_S
    address: str | None = None


@dataclass(slots=True, kw_only=True)
class AppRun:
    """What an app's run came to, as far as it came.

    Attributes:
        rounds: those that began, in order; round 0 is what came before the first.
        recording: what its strategy came to.
        cohorts: actors that ran the devices.
        pool: the pool's own report.
        wall_s: from the ServerApp's start to its end.
    """

    rounds: list[Round] = field(default_factory=list)
    recording: Recording = field(default_factory=Recording)
    cohorts: int = 0
    pool: dict[str, Any] = field(default_factory=dict)
    wall_s: float = 0.0

    @property
    def arrays(self) -> dict[str, NDArray[Any]] | None:
        """The strategy's final arrays by name; None where it has none."""
        return self.recording.arrays

    @property
    def round_wall_s(self) -> list[float]:
        """Wall seconds of each round from the first, aggregation included."""
        return [row.wall_s for row in self.rounds if row.number > 0]


def run_app(
    app_dir: Path,
    *,
    devices: int,
    rounds: int | None = None,
    run_config: Sequence[str] = (),
    cohorts: int | None = None,
    seed: int = DEFAULT_SEED,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    address: str | None = None,
) -> AppRun:
    """Run an app on a Ray that is started for it, or on a cluster, and write nothing.

    The arguments are those of ``edgestill flower run``.

    Raises:
        InputError: the folder holds no app that can be loaded.
        RunError: the app failed, or every device of a round did.
    """
    project = read_project(app_dir, run_config=run_config, rounds=rounds)
    plan = Plan(
        project=project,
        devices=devices,
        cohorts=cohorts,
        seed=seed,
        timeout_s=timeout_s,
        address=address,
    )
    run = AppRun()
    with loaded(plan) as server_app, on_ray(plan) as placement:
        federate(plan, server_app, placement, run, store=MetricStore())
    return run


@contextmanager
def loaded(plan: Plan) -> Iterator[ServerApp]:
    """Be in the app's folder inside the block, with its ServerApp, and its ClientApp tried.

    Raises:
        InputError: one of them cannot be imported, or is something else.
    """
    project = plan.project
    with at_home(project.folder):
        seed_everything(plan.seed)
        server_app = load_server_app(project.serverapp, project.folder)
        load_client_app(project.clientapp, project.folder)
        yield server_app


@contextmanager
def on_ray(plan: Plan) -> Iterator[Placement]:
    """Be connected to Ray inside the block, with a CPU reserved for each cohort."""
    folder = plan.project.folder if plan.address else None
    with ExitStack() as stack:
        stack.enter_context(cluster(plan.address, cpus=(plan.cohorts or 0) + 1, app=folder))
        yield stack.enter_context(reserved(_cohorts(plan)))


def federate(
    plan: Plan,
    server_app: ServerApp,
    placement: Placement,
    run: AppRun,
    *,
    store: MetricStore,
    watch: ClusterWatch | None = None,
    on_round: Callable[[Round], None] = lambda _: None,
) -> None:
    """Run an app's rounds on a connected cluster and enter in ``run`` what comes of it.

    Raises:
        RunError: the app failed, or every device of a round did.
    """
    pool = _pool(plan, placement, store, watch)
    book = RoundBook(plan.project.name, store, on_round)
    run.cohorts, run.rounds = placement.bundles, book.rounds
    grid = AppGrid(RayGrid(pool, plan.devices, RUN_ID), book, timeout_s=plan.timeout_s)
    began_s = time.perf_counter()
    try:
        with recorded(plan.devices) as run.recording:
            _serve(server_app, grid, _context(plan))
    finally:
        run.wall_s = time.perf_counter() - began_s
        run.pool = pool.report()
        pool.close()


def _cohorts(plan: Plan) -> int:
    if plan.cohorts is not None:
        return plan.cohorts
    cpus = int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]
    return max(1, min(cpus, plan.devices))


def _pool(plan: Plan, placement: Placement, store: MetricStore, watch: ClusterWatch | None) -> Pool:
    project = plan.project
    # On a cluster the actors find the app in their working directory, where Ray unpacks it.
    folder = None if plan.address else project.folder
    return Pool(
        ForeignApp(project.clientapp, folder, project.run_config, plan.seed),
        EngineConfig(cohorts=placement.bundles, fogs=1),
        store,
        run_id=RUN_ID,
        fingerprint=0,
        placement=placement,
        watch=watch,
    )


def _context(plan: Plan) -> Context:
    return Context(
        run_id=RUN_ID,
        node_id=SERVER_NODE_ID,
        node_config={},
        state=RecordDict(),
        run_config=dict(plan.project.run_config),
    )


def _serve(server_app: ServerApp, grid: AppGrid, context: Context) -> None:
    """Run the ServerApp in a thread of its own, as Flower does, and its messages in this one.

    So an interrupt is heard here at once, whatever the app is about.
    """
    thread = _ServerThread(server_app, grid, context)
    thread.start()
    try:
        grid.serve()
    finally:
        thread.join(LEAVE_S)
    if thread.error is not None:
        text = "".join(traceback.format_exception(thread.error))
        kind = type(thread.error).__name__
        raise RunError(f"the ServerApp raised {kind}: {thread.error}\n{text}") from thread.error


class _ServerThread(threading.Thread):
    def __init__(self, server_app: ServerApp, grid: AppGrid, context: Context) -> None:
        super().__init__(name="serverapp", daemon=True)
        self._server_app, self._grid, self._context = server_app, grid, context
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self._server_app(self._grid, self._context)
        except SystemExit as end:
            self.error = end if end.code else None
        # An app may raise anything; the owner of the grid says so.
        except BaseException as error:
            self.error = error
        finally:
            self._grid.end()
