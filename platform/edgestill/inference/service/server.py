"""A service behind a port: started, reloaded, drained and stopped from another thread."""

import asyncio
from pathlib import Path

from edgestill.inference.service.app import make_app, make_operations_app
from edgestill.inference.service.served import Served
from edgestill.inference.service.service import Service
from edgestill.inference.service.settings import ServiceSettings
from edgestill.web import WebServer, listen

_GOODBYE_S = 20


class ServiceServer:
    """One replica.

    Args:
        served: the model.
        settings: the limits.
        host: address to bind.
        port: TCP port; 0 takes a free one. Replicas of one machine may share a port.
        certificate: PEM file with the server's certificates; without it there is no TLS.
        key: PEM file of its private key.

    Attributes:
        service: what it serves.
        port: that it listens on, with others.
        own_port: that it alone listens on, for its health and metrics; without TLS.

    Raises:
        InputError: the port cannot be bound.
    """

    def __init__(
        self,
        served: Served,
        settings: ServiceSettings,
        *,
        host: str,
        port: int,
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> None:
        self.service = Service(served, settings)
        self._web = WebServer(
            make_app(self.service),
            listen(host, port, option="--port", shared=True),
            name="service",
            goodbye_s=_GOODBYE_S,
            certificate=certificate,
            key=key,
        )
        self._operations = WebServer(
            make_operations_app(self.service), listen(host, 0, option="--port"), name="operations"
        )
        (self.port,), (self.own_port,) = self._web.ports, self._operations.ports

    def reload(self, served: Served) -> None:
        """Serve another model from the next request on."""
        self._web.loop.call_soon_threadsafe(self.service.reload, served)

    def stop(self) -> None:
        """Take no more connections, answer the requests that were taken, and free the ports.

        Nobody is refused: clients whose connections are idle see them closed, and come to another
        replica.
        """
        self._web.stop()
        asyncio.run_coroutine_threadsafe(self.service.drain(), self._operations.loop).result()
        self._operations.stop()
        self.service.close()
