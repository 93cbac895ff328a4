"""The inference service on Ray: its replicas looked after each second until it is told to stop."""

import logging
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import ray

from edgestill.actors import cluster
from edgestill.actors.serving import Bound, Endpoint, Replicas
from edgestill.allocation import PoolBounds
from edgestill.inference.answer import Tier
from edgestill.jobs.serving.model import WatchedModel
from edgestill.jobs.serving.signals import PrometheusQueue
from edgestill.monitoring import address_of, announce, targets_folder
from edgestill.monitoring.targets import remove_abandoned

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
COOL_DOWN_S = 10.0
"""Between two changes of the number of replicas."""

LOOPBACK = ("127.0.0.1", "localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """What is served where.

    Attributes:
        folder: of a joint model, or of a run that has one.
        tier: whose half.
        endpoint: where replicas listen.
        least: replicas; None is one for each node.
        most: replicas; None is one for each CPU.
        prometheus_url: of the server that the load is asked of; None asks the replicas.
    """

    folder: Path
    tier: Tier
    endpoint: Endpoint
    least: int | None = None
    most: int | None = None
    prometheus_url: str | None = None

    @property
    def run(self) -> str:
        """The label ``run`` of the service's metrics."""
        name = self.folder.absolute().name or "model"
        return re.sub(r"[^A-Za-z0-9_.-]", "-", f"serve-{name}-{self.tier}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A service that listens.

    Attributes:
        url: where clients ask.
        fingerprint: of the model, as in its frames.
        replicas: those that run.
        bounds: how many there may be.
    """

    url: str
    fingerprint: str
    replicas: Sequence[Bound]
    bounds: PoolBounds


def serve(settings: ServeSettings, *, address: str | None, ready: Callable[[Ready], None]) -> None:
    """Serve until a KeyboardInterrupt, and return once all replicas are drained.

    Args:
        settings: what is served where.
        address: ``HOST:PORT`` of a Ray cluster; None starts Ray on this machine.
        ready: is called once, when the least number of replicas listen.

    Raises:
        InputError: the model, the address or the port is wrong.
        RunError: no replica starts, or Ray fails.
        KeyboardInterrupt: before anything is served, or once more while replicas are drained.
    """
    model = WatchedModel(settings.folder, settings.tier)
    queue = PrometheusQueue.of(settings.prometheus_url, settings.run)
    with cluster(address, cpus=settings.most or os.cpu_count() or 1):
        bounds = _bounds(settings)
        replicas = Replicas(model.load, settings.endpoint, bounds, queue=queue)
        try:
            replicas.start()
            with _announced(settings) as announcing, _on_hangup(model.renew):
                announcing(replicas.bound)
                ready(_ready(settings, model, replicas, bounds))
                _look_after(replicas, model, announcing)
        finally:
            replicas.close()


def _look_after(
    replicas: Replicas, model: WatchedModel, announcing: Callable[[Sequence[Bound]], None]
) -> None:
    """Look each second, until a KeyboardInterrupt."""
    try:
        while True:
            time.sleep(LOOK_EVERY_S)
            _look(replicas, model)
            announcing(replicas.bound)
    except KeyboardInterrupt:
        log.info("no more requests are taken")


def _ready(
    settings: ServeSettings, model: WatchedModel, replicas: Replicas, bounds: PoolBounds
) -> Ready:
    return Ready(
        url=url_of(settings.endpoint, replicas.bound[0]),
        fingerprint=model.fingerprint,
        replicas=replicas.bound,
        bounds=bounds,
    )


def url_of(endpoint: Endpoint, bound: Bound) -> str:
    """Return where clients ask a replica and those beside it."""
    scheme = "http" if endpoint.certificate is None else "https"
    return f"{scheme}://{address_of(reached(endpoint, bound), bound.port)}"


def reached(endpoint: Endpoint, bound: Bound) -> str:
    """Return the host by which a replica is reached."""
    return bound.node if endpoint.host in ("0.0.0.0", "::") else endpoint.host  # noqa: S104


def _look(replicas: Replicas, model: WatchedModel) -> None:
    replicas.look()
    if model.changed():
        replicas.reload(model.load)
        log.info("model %s is served from now on", model.fingerprint)


def _bounds(settings: ServeSettings) -> PoolBounds:
    nodes = [
        node["Resources"]
        for node in ray.nodes()  # type: ignore[no-untyped-call]
        if node["Alive"] and node["Resources"].get("CPU", 0) >= 1
    ]
    # On loopback the replicas of other nodes would be out of reach.
    reachable = 1 if settings.endpoint.host in LOOPBACK else len(nodes)
    least = settings.least or max(1, reachable)
    cpus = sum(int(node["CPU"]) for node in nodes)
    most = settings.most or max(least, cpus)
    return PoolBounds(least=least, most=max(least, most), cool_down_s=COOL_DOWN_S)


@contextmanager
def _announced(settings: ServeSettings) -> Iterator[Callable[[Sequence[Bound]], None]]:
    """Keep the file by which Prometheus finds the replicas, and give what renews it."""
    folder, told = targets_folder(), list[str]()
    remove_abandoned(folder)

    def announcing(replicas: Sequence[Bound]) -> None:
        found = [address_of(reached(settings.endpoint, one), one.own_port) for one in replicas]
        if found != told:
            announce(folder, settings.run, found)
            told[:] = found

    try:
        yield announcing
    finally:
        (folder / f"{settings.run}.json").unlink(missing_ok=True)


@contextmanager
def _on_hangup(act: Callable[[], None]) -> Iterator[None]:
    before = signal.signal(signal.SIGHUP, lambda *_: act())
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
