"""A link of a given rate between a client and a service on this machine, to measure and to test.

What a client sends is passed on at the rate; what the service answers comes back at once, as
answers are small. All connections share the rate, as they would share a device's uplink.
"""

import asyncio
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
_PIECE_BYTES = 512
"""Passed on at once: at 25 kB/s a piece every 20 ms."""

_RECEIVE_BYTES = 4096


class SlowLink:
    """A TCP proxy of loopback, in a thread of its own, while its context lasts.

    Args:
        port: of the service.
        bytes_per_s: of the uplink, above 0; may be changed meanwhile.

    Attributes:
        port: that clients connect to.
        passed_bytes: on the way up, so far.
    """

    def __init__(self, port: int, bytes_per_s: float) -> None:
        self.bytes_per_s = bytes_per_s
        self.passed_bytes = 0
        self.port = 0
        self._service_port = port
        self._free_at_s = 0.0
        self._open = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._listen()), name="slow-link", daemon=True
        )

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        self._open.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cut all connections."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    async def _listen(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connect, HOST, 0, limit=_RECEIVE_BYTES)
        self.port = server.sockets[0].getsockname()[1]
        self._open.set()
        await self._over.wait()
        server.close()

    async def _connect(self, device: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            service, up = await asyncio.open_connection(HOST, self._service_port)
        except OSError:
            back.close()
            return
        ways = [
            asyncio.create_task(self._pass_up(device, up)),
            asyncio.create_task(_pass_down(service, back)),
        ]
        try:
            # Where one side hangs up, the other hears of it.
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            up.close()
            back.close()

    async def _pass_up(self, device: asyncio.StreamReader, up: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await device.read(_PIECE_BYTES):
                now_s = self._loop.time()
                self._free_at_s = max(now_s, self._free_at_s) + len(piece) / self.bytes_per_s
                await asyncio.sleep(self._free_at_s - now_s)
                up.write(piece)
                await up.drain()
                self.passed_bytes += len(piece)


async def _pass_down(service: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await service.read(_RECEIVE_BYTES):
            back.write(piece)
            await back.drain()
