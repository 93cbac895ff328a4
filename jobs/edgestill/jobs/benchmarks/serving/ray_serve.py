"""The model under Ray Serve, as its manual has it: a deployment behind the proxy."""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from ray import serve
from starlette.requests import Request

from edgestill.inference.service import Served

HOST = "127.0.0.1"
MOST_IN_BATCH = 32
_ONGOING = 256
"""Requests that a replica takes at once; Ray Serve's own default holds back at five."""

_QUIET = {"enable_access_log": False, "log_level": "WARNING"}


class OneAtATime:
    """Answers each request by itself."""

    def __init__(self, load: Callable[[], Served]) -> None:
        torch.set_num_threads(1)
        self._served = load()

    async def __call__(self, request: Request) -> dict[str, Any]:
        """Answer a frame."""
        content = self._served.read(await request.body())
        return {"answer": self._served.answer([content])[0].plain()}


class Batched:
    """Answers together what has come, without waiting for more, as ours does."""

    def __init__(self, load: Callable[[], Served]) -> None:
        torch.set_num_threads(1)
        self._served = load()

    async def __call__(self, request: Request) -> dict[str, Any]:
        """Answer a frame."""
        content = self._served.read(await request.body())
        answer: Any = self._answers  # type: ignore[misc]
        return {"answer": await answer(content)}

    @serve.batch(max_batch_size=MOST_IN_BATCH, batch_wait_timeout_s=0.0)  # type: ignore[arg-type]
    async def _answers(  # type: ignore[misc]
        self, contents: list[Any]
    ) -> Sequence[dict[str, Any]]:
        return [answer.plain() for answer in self._served.answer(contents)]


@contextmanager
def serving(load: Callable[[], Served], paths: Mapping[str, str]) -> Iterator[int]:
    """Run a deployment of one replica for each way, and give the port of the proxy.

    Ray must be connected.

    Args:
        load: builds the model in each replica.
        paths: where each side answers.
    """
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    serve.start(http_options={"host": HOST, "port": port}, logging_config=_QUIET)
    try:
        deployed = serve.deployment(
            num_replicas=1,
            max_ongoing_requests=_ONGOING,
            ray_actor_options={"num_cpus": 1},
            logging_config=_QUIET,
        )
        made = zip(paths, (OneAtATime, Batched), strict=True)
        serve.run_many(
            [
                serve.RunTarget(deployed(way).bind(load), name=name, route_prefix=paths[name])
                for name, way in made
            ]
        )
        yield port
    finally:
        serve.shutdown()  # type: ignore[no-untyped-call]
