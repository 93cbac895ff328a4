"""One replica of the inference service: a process with a model behind a port."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ray
import torch

from edgestill.inference.service import Served, ServiceServer, ServiceSettings

Load = Callable[[], Served]
"""Builds the served model where the replica runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a service listens, and what it accepts.

    Attributes:
        host: address that replicas bind.
        port: the one that all replicas of a node share; 0 lets the first choose.
        settings: limits of each replica.
        certificate: PEM file with the server's certificates, on every node; None is without TLS.
        key: PEM file of its private key.
    """

    host: str
    port: int
    settings: ServiceSettings
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Where a replica is.

    Attributes:
        node: its node's address.
        node_id: Ray's name of it.
        port: that the replicas of a node share.
        own_port: for its health and metrics.
        pid: of its process.
    """

    node: str
    node_id: str
    port: int
    own_port: int
    pid: int


class Replica:
    """Serves until it is told to stop; see :class:`edgestill.inference.service.ServiceServer`."""

    def __init__(self, load: Load, endpoint: Endpoint) -> None:
        # One core for each replica: threads of several would wait for each other.
        torch.set_num_threads(1)
        self._endpoint = endpoint
        self._served = load()
        self._server: ServiceServer | None = None

    def start(self, port: int) -> Bound:
        """Begin to serve on a shared port and return where.

        Raises:
            InputError: the port cannot be bound.
        """
        self._server = ServiceServer(
            self._served,
            self._endpoint.settings,
            host=self._endpoint.host,
            port=port,
            certificate=self._endpoint.certificate,
            key=self._endpoint.key,
        )
        return Bound(
            node=str(ray.util.get_node_ip_address()),  # type: ignore[no-untyped-call]
            node_id=str(ray.get_runtime_context().get_node_id()),
            port=self._server.port,
            own_port=self._server.own_port,
            pid=os.getpid(),
        )

    def under_way(self) -> int:
        """Return how many requests wait or are computed."""
        return 0 if self._server is None else self._server.service.under_way

    def reload(self, load: Load) -> None:
        """Serve another model from the next request on; none is lost."""
        served = load()
        if self._server is not None:
            self._server.reload(served)

    def stop(self) -> None:
        """Answer what was taken, take no more, and free the ports."""
        if self._server is not None:
            self._server.stop()
