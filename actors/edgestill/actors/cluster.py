"""Getting onto Ray: this machine by default, a cluster by address."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from logging import ERROR
from pathlib import Path
from typing import Any, Literal

import grpc  # type: ignore[import-untyped]
import ray
from ray.util.scheduling_strategies import (
    NodeAffinitySchedulingStrategy,
    PlacementGroupSchedulingStrategy,
)

from edgestill.actors.driver import submission
from edgestill.errors import EdgestillError, InputError, RunError

PROBE_TIMEOUT_S = 5.0
DEFAULT_GCS_PORT = 6379
HEALTH_CHECK = "/grpc.health.v1.Health/Check"
"""gRPC's standard health service, which the head of every Ray cluster serves."""

Place = NodeAffinitySchedulingStrategy | PlacementGroupSchedulingStrategy | Literal["SPREAD"]

QUIET = {
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # The first error of several actors is raised; Ray would print the tracebacks of the others.
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",
}


@contextmanager
def cluster(address: str | None, *, cpus: int, app: Path | None = None) -> Iterator[Path]:
    """Be connected to Ray inside the block, and disconnected after it, whatever happens.

    Yields the folder of Ray's logs on this machine, whose files the cluster's dashboard serves.

    Args:
        address: ``HOST:PORT`` of a cluster's GCS; None is the cluster of the submitted job that
            this process is the driver of, and outside a job starts Ray on this machine.
        cpus: CPUs that the actors reserve. A Ray started here is told that it has at least these,
            so that four cohorts also run on two cores.
        app: folder that every actor finds a copy of as its working directory; None is none.

    Raises:
        InputError: the address is wrong, nothing listens there, or its Ray is another version.
        EdgestillError: raised as it is where an actor raised it.
        RunError: Ray itself failed inside the block.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if address is None and (job := submission()) is not None:
        address = job.address
    check_address(address)
    try:
        with _own_sigterm():
            logs = _connect(address, cpus, app)
        yield logs
    except ray.exceptions.RayTaskError as error:
        ours = _raised_on_purpose(error)
        if ours is None:
            raise
        raise ours from error
    except ray.exceptions.RayError as error:
        raise RunError(f"{type(error).__name__}: {_first_line(error)}") from error
    finally:
        ray.shutdown()


def start_actor(
    kind: type,
    *arguments: Any,
    cpus: float,
    gpus: float = 0.0,
    restarts: int = -1,
    name: str | None = None,
    placement: Place | None = None,
) -> Any:
    """Start a plain class as an actor and return its handle.

    Args:
        kind: the class.
        arguments: of its constructor.
        cpus: CPUs to reserve; 0 for an actor that mostly waits.
        gpus: share of a GPU to reserve.
        restarts: how often Ray may restart it and repeat its calls; -1 without limit.
        name: by which other actors of this run find it.
        placement: the reserved CPUs that it takes its own from, the node that it stays on, or
            ``SPREAD`` for the node with the fewest; None is anywhere.
    """
    actor: Any = ray.remote(
        num_cpus=cpus, num_gpus=gpus, max_restarts=restarts, max_task_retries=restarts
    )(kind)
    return actor.options(name=name, scheduling_strategy=placement).remote(*arguments)


@contextmanager
def ending(actor: Any) -> Iterator[Any]:
    """Yield an actor, and end it with the block, whatever happens.

    Ray itself ends an actor only when Python has collected the last handle to it: in a process that
    goes on, as in a notebook, that may be never.
    """
    try:
        yield actor
    finally:
        ray.kill(actor)


def here() -> NodeAffinitySchedulingStrategy:
    """Return the place of an actor that goes with this process: on the same node."""
    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)


def check_address(address: str | None) -> None:
    """Fail within seconds where ``ray.init`` would try for minutes.

    Raises:
        InputError: the address is not ``HOST:PORT``, or no Ray head answers there.
    """
    if address is None:
        return
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdigit():
        raise InputError(f"--address {address}: expected HOST:PORT, such as 10.0.0.5:6379")
    with grpc.insecure_channel(address) as channel:
        try:
            channel.unary_unary(HEALTH_CHECK)(b"", timeout=PROBE_TIMEOUT_S)
        except grpc.RpcError as error:
            raise InputError(
                f"--address {address}: no Ray head answers there ({error.code().name.lower()}); is "
                f"it started, and is this its GCS port (default {DEFAULT_GCS_PORT})?"
            ) from error


def _connect(address: str | None, cpus: int, app: Path | None) -> Path:
    try:
        context: Any = ray.init(
            # Without any address Ray would look for a cluster that happens to run here.
            address=address or "local",
            num_cpus=None if address else max(cpus, os.cpu_count() or 1),
            include_dashboard=None if address else False,
            runtime_env=_own_folder() if app is None else {"working_dir": str(app)},
            log_to_driver=False,
            logging_level=ERROR,
        )
    except (ConnectionError, RuntimeError) as error:
        where = f"--address {address}: " if address else ""
        raise InputError(f"{where}Ray refused: {_first_line(error)}") from error
    return Path(context.address_info["session_dir"]) / "logs"


def _own_folder() -> dict[str, str] | None:
    job = submission()
    return {"working_dir": os.getcwd()} if job is not None and job.brings_folder else None


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keep this process's handler of SIGTERM, which ``ray.init`` replaces by its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)


def _raised_on_purpose(error: BaseException | None) -> EdgestillError | None:
    """Return what an actor raised, out of the wrappers of each actor that it passed through."""
    while isinstance(error, ray.exceptions.RayTaskError):
        error = error.cause
    return error if isinstance(error, EdgestillError) else None


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
