"""The sides of the comparison: processes that hold the same model behind a port.

Each computes with one thread and says where it listens; it ends when its standard input does.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Protocol

import torch
import uvicorn
from fastapi import Body, FastAPI, Request

from edgestill.jobs.benchmarks.serving.amount import PATH, RAY_SERVE_PATHS
from edgestill.jobs.benchmarks.serving.child import say
from edgestill.jobs.benchmarks.serving.held import load_served
from edgestill.web import listen

HOST = "127.0.0.1"
RAY_NICENESS = 15
"""By which Ray makes its workers nicer; every side is made so."""


class Host(Protocol):
    """Serves the model of a folder until standard input ends."""

    def __call__(self, folder: Path) -> None:
        """Serve."""


def ours(folder: Path) -> None:
    """Serve as ``edgestill serve`` does, with one replica on Ray."""
    from edgestill.actors.serving import Endpoint
    from edgestill.inference.service import ServiceSettings
    from edgestill.jobs.serving.job import ServeSettings, serve

    settings = ServeSettings(
        folder=folder,
        tier="cloud",
        endpoint=Endpoint(host=HOST, port=0, settings=ServiceSettings()),
        least=1,
        most=1,
    )

    def ready(found: Any) -> None:
        (replica,) = found.replicas
        say({"port": replica.port})

    # As Ctrl-C would.
    _at_end(lambda: os.kill(os.getpid(), signal.SIGINT))
    with suppress(KeyboardInterrupt):
        serve(settings, address=None, ready=ready)


def fastapi_inline(folder: Path) -> None:
    """Serve with FastAPI: an ``async def`` endpoint that computes in the event loop."""
    served, app = load_served(folder), FastAPI()

    @app.post(PATH)
    async def answers(request: Request) -> dict[str, Any]:
        content = served.read(await request.body())
        return {"answer": served.answer([content])[0].plain()}

    _serve(app)


def fastapi_threads(folder: Path) -> None:
    """Serve with FastAPI: a ``def`` endpoint, which FastAPI calls in a pool of threads."""
    served, app = load_served(folder), FastAPI()

    @app.post(PATH)
    def answers(
        frame: Annotated[bytes, Body(media_type="application/octet-stream")],
    ) -> dict[str, Any]:
        return {"answer": served.answer([served.read(frame)])[0].plain()}

    _serve(app)


def ray_serve(folder: Path) -> None:
    """Serve with Ray Serve: its proxy and one replica for each of two ways."""
    from edgestill.actors.cluster import cluster
    from edgestill.jobs.benchmarks.serving.ray_serve import serving

    load = partial(load_served, folder)
    with cluster(None, cpus=2), serving(load, RAY_SERVE_PATHS) as port:
        say({"port": port})
        sys.stdin.read()


def http_alone(folder: Path) -> None:
    """Serve a constant answer with uvicorn alone: what HTTP costs without framework and model."""
    del folder
    body = b'{"answer":{"by":"cloud","label":1,"confidence":0.5,"boxes":[]}}'
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    _serve(app)


HOSTS: Mapping[str, Host] = {
    "ours": ours,
    "fastapi": fastapi_inline,
    "fastapi_threads": fastapi_threads,
    "ray_serve": ray_serve,
    "http_alone": http_alone,
}
"""By name; Ray Serve's holds two sides."""


def _serve(app: Any) -> None:
    """Run uvicorn as its command line would, in this process's main thread."""
    os.nice(RAY_NICENESS)
    listener = listen(HOST, 0, option="port")
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    _at_end(lambda: setattr(server, "should_exit", True))
    say({"port": listener.getsockname()[1]})
    server.run(sockets=[listener])


def _at_end(act: Callable[[], None]) -> None:
    """Act once standard input ends, from a thread."""

    def wait() -> None:
        sys.stdin.read()
        act()

    threading.Thread(target=wait, daemon=True).start()


def main(name: str, folder: str) -> None:
    """Serve as one side."""
    torch.set_num_threads(1)
    HOSTS[name](Path(folder))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
