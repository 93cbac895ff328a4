"""The metrics over HTTP, for Prometheus to scrape."""

import errno
import socket
from collections.abc import Callable, Iterable
from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import Metric as Family

from edgestill.errors import InputError
from edgestill.telemetry.families import Contents, families
from edgestill.telemetry.store import MetricStore


class Exporter:
    """Serves a store at ``http://host:port/metrics`` from a thread of its own.

    It has its own registry, so nothing that another library registers leaks into it, and it binds
    to loopback unless told otherwise: the figures of a fleet are not for the whole network.
    """

    def __init__(
        self,
        source: MetricStore | Callable[[], MetricStore],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """Prepare to serve ``source``: a store, or what returns the newest one at each scrape.

        Args:
            source: the store, or a callable that returns it; called from the server's threads.
            host: address to bind (``telemetry.host``).
            port: TCP port (``telemetry.port``); 0 takes a free one.
        """
        self._host, self._port = host, port
        self._registry = CollectorRegistry()
        self._registry.register(_Newest(source))
        self._running: tuple[WSGIServer, Thread] | None = None

    def start(self) -> int:
        """Start serving and return the port that was bound; a second call returns the same.

        Raises:
            InputError: if ``telemetry.host`` is unknown or ``telemetry.port`` cannot be bound.
        """
        if self._running is None:
            try:
                self._running = start_http_server(self._port, self._host, self._registry)
            except OSError as error:
                raise InputError(_explain(error, self._host, self._port)) from error
        return int(self._running[0].server_port)

    def stop(self) -> None:
        """Stop serving and free the port; does nothing if not started."""
        if self._running is not None:
            server, thread = self._running
            self._running = None
            server.shutdown()
            server.server_close()
            thread.join()


class _Newest:
    """A collector over whatever store is the newest when the scrape comes."""

    def __init__(self, source: MetricStore | Callable[[], MetricStore]) -> None:
        self._source = source

    def collect(self) -> Iterable[Family]:
        source = self._source
        return (source if isinstance(source, MetricStore) else source()).collect()

    def describe(self) -> Iterable[Family]:
        # Lets the registry know the names without a scrape, which `?name[]=` needs.
        return families(Contents())


def _explain(error: OSError, host: str, port: int) -> str:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"telemetry.host: {host} is not an address of this machine; 127.0.0.1 is"
    if error.errno == errno.EADDRINUSE:
        return f"telemetry.port: {port} on {host} is in use; give another one, or 0 for a free one"
    reason = error.strerror or str(error)
    return f"telemetry.port: {port} on {host} cannot be bound ({reason}); 0 takes a free one"
