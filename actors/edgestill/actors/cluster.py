"""Getting onto Ray: this machine by default, a cluster by address."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray

from edgestill.errors import InputError

log = logging.getLogger(__name__)

PROBE_TIMEOUT_S = 5.0
DEFAULT_GCS_PORT = 6379
QUIET = {"RAY_DEDUP_LOGS": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


@contextmanager
def cluster(address: str | None, *, cpus: int) -> Iterator[None]:
    """Be connected to Ray inside the block, and disconnected after it, whatever happens.

    Args:
        address: ``HOST:PORT`` of a cluster's GCS; None starts Ray on this machine.
        cpus: CPUs that the actors reserve. A Ray started here is told that it has at least these,
            so that four cohorts also run on two cores.

    Raises:
        InputError: the address is wrong, nothing listens there, or its Ray is another version.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if address is not None:
        _probe(address)
    try:
        ray.init(
            address=address,
            num_cpus=None if address else max(cpus, os.cpu_count() or 1),
            include_dashboard=None if address else False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            namespace=None,
        )
    except (ConnectionError, RuntimeError) as error:
        raise InputError(f"--address {address}: Ray refused: {_first_line(error)}") from error
    try:
        yield
    finally:
        ray.shutdown()


def start_actor(kind: type, *arguments: Any, cpus: float, restarts: int = -1) -> Any:
    """Start a plain class as an actor and return its handle.

    Args:
        kind: the class.
        arguments: of its constructor.
        cpus: CPUs to reserve; 0 for an actor that mostly waits.
        restarts: how often Ray may restart it and repeat its calls; -1 without limit.
    """
    actor = ray.remote(num_cpus=cpus, max_restarts=restarts, max_task_retries=restarts)
    return actor(kind).remote(*arguments)


def _probe(address: str) -> None:
    """Fail within seconds where ``ray.init`` would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise InputError(f"--address {address}: expected HOST:PORT, such as 10.0.0.5:6379")
    try:
        with socket.create_connection((host, int(port)), timeout=PROBE_TIMEOUT_S):
            pass
    except OSError as error:
        raise InputError(
            f"--address {address}: no Ray head answers there ({error}); is it started, and is this "
            f"its GCS port (default {DEFAULT_GCS_PORT})?"
        ) from error


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
