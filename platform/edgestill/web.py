"""A web application served from a thread of its own, on a socket that is already bound."""

import asyncio
import errno
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from edgestill.errors import InputError


def listen(host: str, port: int, *, option: str, shared: bool = False) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one.

    Args:
        host: address to bind.
        port: TCP port.
        option: what the user set the port by, for the message.
        shared: whether other sockets of this user may listen on the same port; the kernel then
            shares connections out between them.

    Raises:
        InputError: the port is in use or may not be bound.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        said = "in use" if error.errno == errno.EADDRINUSE else f"not to be had ({error.strerror})"
        raise InputError(f"{option} {port}: {said}; give another one, or 0") from error
    return listener


class WebServer:
    """An application that is served until it is stopped.

    Args:
        app: the application.
        listeners: sockets of :func:`listen`; they are closed at the end.
        name: of the thread.
        goodbye_s: how long open requests may take once it stops.
        certificate: PEM file with the server's certificates, for TLS.
        key: PEM file of its private key.

    Attributes:
        ports: that it listens on, one for each socket.
        loop: the event loop that serves.
    """

    def __init__(
        self,
        app: FastAPI,
        *listeners: socket.socket,
        name: str,
        goodbye_s: int = 1,
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> None:
        self.ports: tuple[int, ...] = tuple(one.getsockname()[1] for one in listeners)
        tls: dict[str, Any] = {} if certificate is None else {"ssl_certfile": str(certificate)}
        if key is not None:
            tls["ssl_keyfile"] = str(key)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            ws="websockets-sansio",
            timeout_graceful_shutdown=goodbye_s,
            **tls,
        )
        self._server = uvicorn.Server(config)
        self._loop_factory = config.get_loop_factory()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(listeners,), name=name, daemon=True)
        self._thread.start()
        self._ready.wait()

    def _run(self, listeners: Sequence[socket.socket]) -> None:
        # Uvicorn's choice: uvloop where it is installed.
        with asyncio.Runner(loop_factory=self._loop_factory) as runner:
            runner.run(self._serve(listeners))

    async def _serve(self, listeners: Sequence[socket.socket]) -> None:
        self.loop = asyncio.get_running_loop()
        self._ready.set()
        await self._server.serve(sockets=list(listeners))

    def stop(self) -> None:
        """Take no more connections, let open requests end, and return when all is over."""
        self._server.should_exit = True
        self._thread.join()
