"""The one actor that serves a run's live page, so that no browser ever holds up training.

The page is served on loopback, so the actor stands on the driver's own node, wherever the cluster
has room: there the address that is printed is right, and one tunnel (``ssh -L``) leads to it.
"""

from typing import Any

from edgestill.actors.cluster import here, start_actor
from edgestill.page import Event


class Page:
    """Shows what it is told; see :class:`edgestill.page.server.PageServer`."""

    def __init__(self, port: int) -> None:
        from edgestill.page.server import PageServer  # the driver does without a web framework

        self._server = PageServer(port)

    def start(self) -> int:
        """Start serving and return the port; once is enough.

        Raises:
            InputError: the port cannot be bound.
        """
        return self._server.start()

    def take(self, events: list[Event]) -> None:
        """Show what happened."""
        self._server.take(events)

    def close(self) -> None:
        """Let every browser show the last state, and stop."""
        self._server.stop()


def start_page(port: int) -> Any:
    """Start the actor on this process's node and return its handle.

    It is not restarted: a new one would know nothing of the run so far, nor have its port.
    """
    return start_actor(Page, port, cpus=0, restarts=0, placement=here())
