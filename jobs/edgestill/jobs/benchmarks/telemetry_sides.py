"""Two sides that take turns on the same actors, over a fleet of which few answer."""

import statistics
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from flwr.app import Message

from edgestill.actors import RayGrid
from edgestill.errors import RunError
from edgestill.federation import FIRST_NODE_ID, Coordinator
from edgestill.jobs.benchmarks.scraper import Scraper
from edgestill.jobs.watching import Watcher

DEVICES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured: turns of each side, rounds in a turn, devices that train."""

    turns: int
    rounds_per_turn: int
    participants: int


class FewConnected(RayGrid):
    """A grid of ``DEVICES`` nodes of which only the first few answer."""

    def get_node_ids(self) -> Iterable[int]:
        """Return all nodes."""
        return range(FIRST_NODE_ID, FIRST_NODE_ID + DEVICES)

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterator[Message]:
        """Send to those that answer, and return their replies."""
        there = set(super().get_node_ids())
        sent = [message for message in messages if message.metadata.dst_node_id in there]
        return super().send_and_receive(sent, timeout=timeout)


class Turns:
    """Lets one of two threads go at a time."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._whose: str | None = None
        self._over = False

    def give(self, name: str) -> None:
        """Let the thread of this name go."""
        with self._lock:
            self._whose = name
            self._lock.notify_all()

    def end(self) -> None:
        """Let nobody wait any more."""
        with self._lock:
            self._over = True
            self._lock.notify_all()

    def wait_for(self, name: str) -> None:
        """Wait until it is this one's turn.

        Raises:
            RunError: the other one failed.
        """
        with self._lock:
            self._lock.wait_for(lambda: self._over or self._whose == name)
            if self._over:
                raise RunError("the other side failed")


@dataclass(slots=True, kw_only=True)
class Player:
    """Watches one side's rounds: exports as any run does, takes times, gives up its turn.

    A round's time runs from the end of the one before to its own end, exports included.
    """

    name: str
    other: str
    turns: Turns
    watcher: Watcher
    size: Size
    scraper: Scraper | None
    medians_s: list[float] = field(default_factory=list)
    error: BaseException | None = None
    _times_s: list[float] = field(default_factory=list)
    _since: float = 0.0

    def play(self, coordinator: Coordinator) -> None:
        """Run a federation, turn by turn; an error ends the other side's wait too."""
        try:
            self._take_turn()
            coordinator.run()
        except BaseException as error:  # raised again by who joins this thread
            self.error = error
            self.turns.end()

    def vitals_exported(self) -> None:
        """Export as any run does."""
        self.watcher.vitals_exported()

    def round_started(self, round_number: int, participants: int) -> None:
        """Export as any run does."""
        self.watcher.round_started(round_number, participants)

    def round_ended(self, row: Mapping[str, Any]) -> None:
        """Export, and after the turn's last round let the other side play."""
        self.watcher.round_ended(row)
        self._times_s.append(time.perf_counter() - self._since)
        if row["round"] > 1 and len(self._times_s) < self.size.rounds_per_turn:
            self._since = time.perf_counter()
            return
        if row["round"] > 1:  # the first round of all warms up
            self.medians_s.append(statistics.median(self._times_s))
        if self.scraper is not None:
            self.scraper.stop()
        self.turns.give(self.other)
        if len(self.medians_s) < self.size.turns:
            self._take_turn()

    def _take_turn(self) -> None:
        """Wait for the turn, let the scraper loose and start the clock."""
        self.turns.wait_for(self.name)
        self._times_s.clear()
        if self.scraper is not None:
            self.scraper.go()
        self._since = time.perf_counter()
