"""The load generator's process: orders of load in, what it met out."""

import asyncio
import gc
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvicorn

from edgestill.inference.service import ServiceSettings
from edgestill.jobs.benchmarks.serving.amount import PATH
from edgestill.jobs.benchmarks.serving.bad_frames import bad_requests
from edgestill.jobs.benchmarks.serving.child import Child, say
from edgestill.jobs.benchmarks.serving.held import read_frames
from edgestill.jobs.benchmarks.serving.traffic import (
    Connection,
    Reply,
    Traffic,
    closed_loop,
    each_once,
    open_loop,
    post,
)

FINEST = -2
"""Of the rates, the finest of features; the last is whole inputs."""

_NEIGHBOURS = 16
_CONNECTIONS = 8
_NEIGHBOUR_PAUSE_S = 0.02
_SAME = 1e-3
"""Confidences that differ less are the same; a batch's size changes the last digits."""

_SPARE_S = 60.0
_BAD_WITHIN_S = 300.0


class Generator:
    """The parent's end of the line.

    Args:
        frames: file of the frames that are sent.
        folder: where the log lies.
    """

    def __init__(self, frames: Path, folder: Path) -> None:
        self._child = Child(
            "generator", "edgestill.jobs.benchmarks.serving.generator", str(frames), folder=folder
        )
        self._child.hear(_SPARE_S)

    def closed(self, port: int, path: str, *, connections: int, seconds: float) -> Traffic:
        """Return what so many connections met, each with one request at a time."""
        order = {"port": port, "path": path, "connections": connections, "seconds": seconds}
        return self._traffic("closed", order)

    def open(self, port: int, path: str, *, per_s: float, seconds: float, seed: int) -> Traffic:
        """Return what arrivals at a rate met, whatever became of those before."""
        order = {"port": port, "path": path, "per_s": per_s, "seconds": seconds, "seed": seed}
        return self._traffic("open", order)

    def bad(self, port: int, *, count: int, seed: int) -> dict[str, Any]:
        """Send bad frames, and good ones beside them.

        Returns:
            ``statuses`` by kind of the bad ones, 0 for a request without answer; of the good ones
            ``asked`` and ``disturbed``, which had no answer or another.
        """
        order = {"load": "bad", "port": port, "count": count, "seed": seed}
        return self._child.ask(order, _BAD_WITHIN_S)

    def close(self) -> None:
        """End the process."""
        self._child.close()

    def _traffic(self, load: str, order: Mapping[str, Any]) -> Traffic:
        found = self._child.ask({"load": load, **order}, order["seconds"] + _SPARE_S)
        statuses = {int(status): count for status, count in found.pop("statuses").items()}
        return Traffic(**found, statuses=statuses)


async def obey(order: dict[str, Any], frames: Sequence[Sequence[bytes]]) -> dict[str, Any]:
    """Put the load of an order on a port, and return what it met."""
    load, port = order.pop("load"), order.pop("port")
    if load == "bad":
        return await _bad(port, frames, **order)
    path = order.pop("path")
    requests = [post(path, frame) for frame in frames[FINEST]]
    loop = closed_loop if load == "closed" else open_loop
    return asdict(await loop(port, requests, **order))


async def _bad(
    port: int, frames: Sequence[Sequence[bytes]], *, count: int, seed: int
) -> dict[str, Any]:
    good = [post(PATH, frame) for frame in frames[FINEST][:_NEIGHBOURS]]
    connection = Connection(port)
    expected = [_answer(await connection.ask(request)) for request in good]
    made = list(
        bad_requests(
            [frame for rate in frames for frame in rate],
            count=count,
            path=PATH,
            most_bytes=ServiceSettings().max_frame_bytes,
            seed=seed,
        )
    )
    statuses: Counter[tuple[str, int]] = Counter()
    over, disturbed, asked = asyncio.Event(), 0, 0

    async def neighbour() -> None:
        nonlocal disturbed, asked
        while not over.is_set():
            place = asked % len(good)
            found = _answer(await connection.ask(good[place]))
            asked, disturbed = asked + 1, disturbed + (not _same(found, expected[place]))
            await asyncio.sleep(_NEIGHBOUR_PAUSE_S)

    beside = asyncio.create_task(neighbour())
    await each_once(
        port,
        [request for _, request in made],
        connections=_CONNECTIONS,
        note=lambda place, reply: statuses.update([(made[place][0], reply.status)]),
    )
    over.set()
    await beside
    connection.close()
    by_kind: dict[str, dict[int, int]] = {}
    for (kind, status), number in sorted(statuses.items()):
        by_kind.setdefault(kind, {})[status] = number
    return {"statuses": by_kind, "asked": asked, "disturbed": disturbed}


def _answer(reply: Reply) -> Mapping[str, Any] | None:
    if reply.status != 200:
        return None
    answer: Mapping[str, Any] = json.loads(reply.body)["answer"]
    return answer


def _same(found: Mapping[str, Any] | None, expected: Mapping[str, Any] | None) -> bool:
    if found is None or expected is None:
        return False
    near = abs(found["confidence"] - expected["confidence"]) < _SAME
    return bool(near and found["label"] == expected["label"])


def main(frames_file: str) -> None:
    """Take orders until standard input ends."""
    frames = read_frames(Path(frames_file))
    gc.freeze()
    # The loop that uvicorn takes, the fastest that is installed.
    with asyncio.Runner(loop_factory=uvicorn.Config("").get_loop_factory()) as runner:
        say({"ready": True})
        for line in sys.stdin:
            say(runner.run(obey(json.loads(line), frames)))


if __name__ == "__main__":
    main(sys.argv[1])
