"""Serves the page of one run from a thread of its own, on loopback alone.

NiceGUI brings its scripts, styles and fonts along, and the content security policy forbids the page
every other host. Requests by another name than loopback's are refused, so that no web site can
have its own name point here and read the page (DNS rebinding).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable

from fastapi import FastAPI, Request, Response
from nicegui import Client, ui
from starlette.middleware.trustedhost import TrustedHostMiddleware

from edgestill.page.events import Event
from edgestill.page.layout import Screen
from edgestill.page.view import RunView, fold
from edgestill.web import WebServer, listen

HOST = "127.0.0.1"
REFRESH_S = 0.5
GOODBYE_S = 2.0

_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_OVER = "document.body.classList.add('over'); setTimeout(() => window.socket.disconnect(), 0); 1"


class PageServer:
    """The page of a run; at most one in a process, since NiceGUI has one app in each.

    Args:
        port: TCP port on loopback; 0 takes a free one.
    """

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._view = RunView()
        self._screens: dict[str, Screen] = {}
        self._changed = asyncio.Event()
        self._running: WebServer | None = None

    def start(self) -> int:
        """Start serving and return the port that was bound; a second call returns the same.

        Raises:
            InputError: the port cannot be bound.
        """
        if self._running is None:
            self._running = WebServer(
                self._app(), listen(HOST, self._port, option="--ui-port"), name="page"
            )
            refreshing = asyncio.run_coroutine_threadsafe(self._refresh(), self._running.loop)
            self._refreshing = refreshing
        return self._running.ports[0]

    def take(self, events: Iterable[Event]) -> None:
        """Show what happened, soon; any thread may call.

        Raises:
            Exception: whatever kept the page from showing what happened before.
        """
        view = self._view
        for event in events:
            view = fold(view, event)
        self._view = view
        if self._running is not None:
            if self._refreshing.done():
                self._refreshing.result()
            self._running.loop.call_soon_threadsafe(self._changed.set)

    def stop(self) -> None:
        """Let every open page show the last state, then stop serving and free the port."""
        if self._running is not None:
            running, self._running = self._running, None
            asyncio.run_coroutine_threadsafe(self._goodbye(), running.loop).result()
            running.stop()

    def _app(self) -> FastAPI:
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
        app.middleware("http")(_with_policy)

        @ui.page("/")
        def index() -> None:
            self._open()

        ui.run_with(
            app,
            title="edgestill",
            language="en-US",
            dark=None,
            tailwind=False,
            message_history_length=10,
            binding_refresh_interval=None,
            show_welcome_message=False,
        )
        return app

    def _open(self) -> None:
        """Build the page of a browser that has just come."""
        client = ui.context.client
        self._screens[client.id] = Screen(self._view)
        client.on_delete(lambda: self._screens.pop(client.id, None))

    async def _refresh(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            self._show()
            await asyncio.sleep(REFRESH_S)

    def _show(self) -> None:
        for screen in list(self._screens.values()):
            screen.show(self._view)

    async def _goodbye(self) -> None:
        self._show()
        here = [Client.instances.get(key) for key in self._screens]
        await asyncio.gather(*(_end(client) for client in here if client is not None))


async def _end(client: Client) -> None:
    """Return when a browser has shown all it was sent, or does not answer."""
    with contextlib.suppress(TimeoutError):
        await client.connected(timeout=GOODBYE_S)
        await client.run_javascript(_OVER, timeout=GOODBYE_S)


async def _with_policy(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    response = await call_next(request)
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
