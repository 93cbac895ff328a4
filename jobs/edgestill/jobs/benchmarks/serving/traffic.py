"""Requests of HTTP/1.1 as a load: open loop (arrivals do not wait for answers) and closed loop.

The client is small, so that it costs less than what it measures.
"""

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from time import perf_counter
from typing import cast

HOST = "127.0.0.1"
LOST = 0
"""Stands for a status where a connection ended without an answer."""

_END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A status and a body; status :data:`LOST` where none came."""

    status: int
    body: bytes = b""


@dataclass(slots=True, kw_only=True)
class Traffic:
    """What a load met.

    Attributes:
        latencies_s: of each answer with status 200, in the order of the answers.
        statuses: how often each status came.
        wall_s: from the first request to the last answer.
    """

    latencies_s: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    wall_s: float = 0.0

    def note(self, reply: Reply, latency_s: float) -> None:
        """Enter an answer."""
        self.statuses[reply.status] = self.statuses.get(reply.status, 0) + 1
        if reply.status == 200:
            self.latencies_s.append(latency_s)


class Connection(asyncio.Protocol):
    """A connection that is kept, for one request at a time; it opens when first needed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._transport: asyncio.Transport | None = None
        self._coming: asyncio.Future[Reply] | None = None
        self._bytes = bytearray()

    async def ask(self, request: bytes) -> Reply:
        """Return the reply to a request."""
        loop = asyncio.get_running_loop()
        if self._transport is None:
            try:
                await loop.create_connection(lambda: self, HOST, self._port)
            except OSError:
                return Reply(status=LOST)
        self._coming = loop.create_future()
        self._bytes.clear()
        if self._transport is not None:
            self._transport.write(request)
        return await self._coming

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        # Not an isinstance: uvloop's transports are no subclasses.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Take bytes, and settle the request when its reply is whole."""
        self._bytes += data
        reply = _reply_of(self._bytes)
        if reply is not None:
            self._settle(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """Settle the request that waits, without an answer."""
        self._transport = None
        self._settle(Reply(status=LOST))

    def _settle(self, reply: Reply) -> None:
        if self._coming is not None and not self._coming.done():
            self._coming.set_result(reply)


def post(path: str, body: bytes, *, declared_bytes: int | None = None) -> bytes:
    """Return a request; ``declared_bytes`` may differ from the body's length, for fuzzing."""
    length = len(body) if declared_bytes is None else declared_bytes
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/octet-stream\r\n"
        f"Content-Length: {length}\r\n\r\n"
    )
    return head.encode() + body


async def closed_loop(
    port: int, requests: Sequence[bytes], *, connections: int, seconds: float
) -> Traffic:
    """Ask over several connections, on each the next request once the last is answered."""
    traffic, turn = Traffic(), cycle(requests)
    began = perf_counter()
    until = began + seconds
    await asyncio.gather(*(_repeat(port, turn, traffic, until) for _ in range(connections)))
    traffic.wall_s = perf_counter() - began
    return traffic


async def open_loop(
    port: int, requests: Sequence[bytes], *, per_s: float, seconds: float, seed: int
) -> Traffic:
    """Ask at random moments (Poisson), whatever the answers do.

    A latency counts from the moment of the arrival, also where no connection was free then.
    """
    # Random moments, no secret.
    gaps = random.Random(seed)  # noqa: S311
    traffic, turn, idle = Traffic(), cycle(requests), list[Connection]()
    made: list[Connection] = []
    loop, asked = asyncio.get_running_loop(), set[asyncio.Task[None]]()
    began = perf_counter()
    due_s = gaps.expovariate(per_s)
    while due_s < seconds:
        await asyncio.sleep(max(0.0, began + due_s - perf_counter()))
        connection = idle.pop() if idle else _new(made, port)
        task = loop.create_task(_arrival(connection, next(turn), traffic, idle))
        asked.add(task)
        task.add_done_callback(asked.discard)
        due_s += gaps.expovariate(per_s)
    await asyncio.gather(*asked)
    traffic.wall_s = perf_counter() - began
    for connection in made:
        connection.close()
    return traffic


async def each_once(
    port: int,
    requests: Sequence[bytes],
    *,
    connections: int,
    note: Callable[[int, Reply], None],
) -> None:
    """Ask every request once over several connections; ``note`` hears its place and its reply."""
    places = iter(range(len(requests)))

    async def work() -> None:
        connection = Connection(port)
        for place in places:
            note(place, await connection.ask(requests[place]))
        connection.close()

    await asyncio.gather(*(work() for _ in range(connections)))


async def _repeat(port: int, turn: Iterator[bytes], traffic: Traffic, until: float) -> None:
    connection = Connection(port)
    while (started := perf_counter()) < until:
        reply = await connection.ask(next(turn))
        traffic.note(reply, perf_counter() - started)
        if reply.status == LOST:
            await asyncio.sleep(0.01)
    connection.close()


async def _arrival(
    connection: Connection, request: bytes, traffic: Traffic, idle: list[Connection]
) -> None:
    started = perf_counter()
    reply = await connection.ask(request)
    traffic.note(reply, perf_counter() - started)
    idle.append(connection)


def _new(made: list[Connection], port: int) -> Connection:
    made.append(Connection(port))
    return made[-1]


def _reply_of(received: bytearray) -> Reply | None:
    """Return the reply, or None while it is not whole."""
    head, end, body = received.partition(_END_OF_HEAD)
    if not end:
        return None
    status = int(head[9:12])
    fields = head.lower()
    at = fields.find(b"content-length:")
    if at >= 0:
        length = int(fields[at + 15 :].split(b"\r\n", 1)[0])
        return Reply(status=status, body=bytes(body)) if len(body) >= length else None
    return Reply(status=status, body=bytes(body)) if body.endswith(b"0\r\n\r\n") else None
