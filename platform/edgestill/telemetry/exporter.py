"""The metrics over HTTP, for Prometheus to scrape."""

import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

from edgestill.errors import InputError
from edgestill.telemetry.exposition import Renderer
from edgestill.telemetry.families import Contents
from edgestill.telemetry.store import MetricStore

REQUEST_TIMEOUT_S = 30.0
"""After which a scraper that neither sends nor reads is hung up on."""


class Exporter:
    """Serves a store at ``http://host:port/metrics`` from threads of its own.

    It serves declared metrics only, and binds to loopback unless told otherwise: the figures of a
    fleet are not for the whole network. Nothing is compressed: that would take a training machine
    several times as long as the text itself.
    """

    def __init__(
        self,
        source: MetricStore | Callable[[], Contents],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """Prepare to serve ``source``: a store, or what returns the newest values at each scrape.

        Args:
            source: the store, or a callable that is called from the server's threads.
            host: address to bind (``telemetry.host``).
            port: TCP port (``telemetry.port``); 0 takes a free one.
        """
        self._host, self._port = host, port
        self._source = source.snapshot if isinstance(source, MetricStore) else source
        self._running: tuple[ThreadingHTTPServer, Thread] | None = None

    def start(self) -> int:
        """Start serving and return the port that was bound; a second call returns the same.

        Raises:
            InputError: if ``telemetry.host`` is unknown or ``telemetry.port`` cannot be bound.
        """
        if self._running is None:
            try:
                server = _server(self._host, self._port, _handler(self._source))
            except OSError as error:
                raise InputError(_explain(error, self._host, self._port)) from error
            thread = Thread(target=server.serve_forever, name="exporter", daemon=True)
            thread.start()
            self._running = server, thread
        return int(self._running[0].server_port)

    def stop(self) -> None:
        """Stop serving and free the port; does nothing if not started."""
        if self._running is not None:
            server, thread = self._running
            self._running = None
            server.shutdown()
            server.server_close()
            thread.join()


def _server(host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    kind = type("Server", (ThreadingHTTPServer,), {"address_family": found[0][0]})
    server: ThreadingHTTPServer = kind(found[0][4], handler)
    return server


def _handler(source: Callable[[], Contents]) -> type[BaseHTTPRequestHandler]:
    renderer = Renderer()

    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_TIMEOUT_S

        def handle(self) -> None:
            # A scraper that hung up is no concern of a run.
            with suppress(ConnectionError, TimeoutError):
                super().handle()

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            if address.path != "/metrics":
                self.send_error(HTTPStatus.NOT_FOUND, explain="the metrics are at /metrics")
                return
            content_type, text = renderer.render(
                source(),
                accept=self.headers.get("Accept", ""),
                names=parse_qs(address.query).get("name[]", ()),
            )
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as its base
            """Log nothing."""

    return Handler


def _explain(error: OSError, host: str, port: int) -> str:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"telemetry.host: {host} is not an address of this machine; 127.0.0.1 is"
    if error.errno == errno.EADDRINUSE:
        return f"telemetry.port: {port} on {host} is in use; give another one, or 0 for a free one"
    reason = error.strerror or str(error)
    return f"telemetry.port: {port} on {host} cannot be bound ({reason}); 0 takes a free one"
