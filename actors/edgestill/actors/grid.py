"""Flower's Grid over a fleet of actors.

Records that many messages share, such as the global model, are put into the object store once.
Messages go out in chunks, a few in flight for each cohort, so that a slow actor takes fewer.
Updates that may be summed are summed in the cohort and then in its fog; their arrays never pass
through the coordinator. When a cohort dies, it is replaced and exactly its unfinished chunks are
run again. Cohorts come and go before messages are sent and while chunks wait.
"""

import logging
import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import ray
from flwr.app import Error, Message
from flwr.common.constant import ErrorCode

from edgestill.actors.cohort import BatchAnswer
from edgestill.actors.envelopes import SharedRecords
from edgestill.actors.pool import Pool
from edgestill.federation import (
    Aggregate,
    FleetGrid,
    combine,
    set_message_id,
    sum_message,
)

log = logging.getLogger(__name__)

CHUNKS_PER_COHORT = 4
LARGEST_CHUNK = 32
IN_FLIGHT_PER_COHORT = 2
MOST_ATTEMPTS = 3
"""A chunk that outlived this many actors is cut up; a single device that did is given up."""

LOST = (
    ray.exceptions.RayActorError,
    ray.exceptions.WorkerCrashedError,
    ray.exceptions.ObjectLostError,
)


@dataclass(slots=True)
class Chunk:
    """Messages that go to one cohort together.

    Attributes:
        messages: whole, so that they can be sent again.
        shared: the records of theirs that travel once.
        attempts: how often an actor was lost over them.
    """

    messages: list[Message]
    shared: SharedRecords
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """A chunk under way: in which cohort, and the reference to the sum of its updates."""

    chunk: Chunk
    cohort: int
    total: Any


class RayGrid(FleetGrid):
    """Runs a ClientApp for N devices on a pool's cohorts."""

    def __init__(self, pool: Pool, devices: int, run_id: int = 1) -> None:
        super().__init__(devices, run_id)
        self._pool = pool
        self._waiting: deque[Chunk] = deque()
        self._flights: dict[Any, Flight] = {}
        self._totals: dict[int, list[Any]] = {}
        self._replies: dict[str, Message] = {}

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Send messages out and return their ids; replies are pulled."""
        pushed = list(messages)
        identifiers = [set_message_id(message) for message in pushed]
        self._adapt(len(pushed))
        self._waiting.extend(self._chunks(pushed))
        self._send()
        return identifiers

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Return the replies that have come, each once."""
        self._receive(wait_s=0.0)
        present = [identifier for identifier in message_ids if identifier in self._replies]
        return [self._replies.pop(identifier) for identifier in present]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """Send messages and return all replies, and one more reply that sums what may be summed.

        What has not come after ``timeout`` seconds is replied to by an error ``TimedOut``, and the
        cohorts that still work on it are replaced.
        """
        sent = list(messages)
        identifiers = self.push_messages(sent)
        end = None if timeout is None else time.monotonic() + timeout
        while self._flights or self._waiting:
            left_s = None if end is None else end - time.monotonic()
            if left_s is not None and left_s <= 0:
                self._give_up(f"TimedOut: no reply within {timeout:g} s")
                break
            self._receive(wait_s=left_s)
        replies = list(self.pull_messages(identifiers))
        total = self._collect_totals()
        return replies if total is None else [*replies, sum_message(total, sent[0])]

    def _chunks(self, messages: list[Message]) -> list[Chunk]:
        shared = SharedRecords(messages)
        shares = CHUNKS_PER_COHORT * len(self._pool.open())
        size = min(LARGEST_CHUNK, max(1, -(-len(messages) // shares)))
        return [
            Chunk(messages[start : start + size], shared) for start in range(0, len(messages), size)
        ]

    def _send(self) -> None:
        """Hand waiting chunks to the cohorts with the least under way."""
        while self._waiting:
            loads = Counter(flight.cohort for flight in self._flights.values())
            cohort = min(self._pool.open(), key=lambda number: (loads[number], number))
            if loads[cohort] >= IN_FLIGHT_PER_COHORT:
                break
            chunk = self._waiting.popleft()
            contexts = [self._contexts[m.metadata.dst_node_id] for m in chunk.messages]
            batch = chunk.shared.batch(chunk.messages, contexts)
            actor = self._pool.cohorts[cohort]
            answer, total = actor.run.options(num_returns=2).remote(batch)
            self._flights[answer] = Flight(chunk=chunk, cohort=cohort, total=total)
        self._report()

    def _adapt(self, new: int) -> None:
        """Let the pool follow its load, with so many messages about to be sent."""
        held = sum(len(chunk.messages) for chunk in self._waiting) + sum(
            len(flight.chunk.messages) for flight in self._flights.values()
        )
        self._pool.adapt(work=held + new, busy={flight.cohort for flight in self._flights.values()})

    def _report(self) -> None:
        queues: Counter[int] = Counter()
        for flight in self._flights.values():
            queues[flight.cohort] += len(flight.chunk.messages)
        self._pool.report_queues(queues)

    def _receive(self, *, wait_s: float | None) -> None:
        """Take what has come, waiting for the first, and send more."""
        if not self._flights:
            return
        landed, _ = ray.wait(list(self._flights), timeout=wait_s)
        for answer in landed:
            flight = self._flights[answer]
            try:
                self._take(ray.get(answer), flight)
                del self._flights[answer]
            except LOST as error:
                self._lose(flight.cohort, error)
        if self._waiting:
            self._adapt(0)
        self._send()

    def _take(self, answer: BatchAnswer, flight: Flight) -> None:
        for reply in answer.replies:
            self._replies[reply.metadata.reply_to_message_id] = reply
        for context in answer.contexts:
            self._contexts[context.node_id] = context
        self._totals.setdefault(self._pool.fog_of(flight.cohort), []).append(flight.total)

    def _lose(self, cohort: int, error: Exception) -> None:
        """Replace a dead cohort and queue again what it had not finished."""
        log.warning("cohort %d died: %s", cohort, type(error).__name__)
        self._pool.replace(cohort)
        held = [answer for answer, flight in self._flights.items() if flight.cohort == cohort]
        # An actor works in the order of sending, so it died over the first.
        running, *others = [self._flights.pop(answer).chunk for answer in held]
        running.attempts += 1
        self._waiting.extendleft(reversed(others))
        self._waiting.extendleft(reversed(self._left_of(running)))

    def _left_of(self, chunk: Chunk) -> list[Chunk]:
        """Find the device that kills its actors: cut its chunk up, and give it up at last."""
        if chunk.attempts < MOST_ATTEMPTS:
            return [chunk]
        if len(chunk.messages) > 1:
            return [Chunk([message], chunk.shared) for message in chunk.messages]
        self._reply_error(chunk, f"ActorLost: the device ended {chunk.attempts} actors")
        return []

    def _give_up(self, reason: str) -> None:
        for cohort in {flight.cohort for flight in self._flights.values()}:
            self._pool.replace(cohort)
        for chunk in (*(flight.chunk for flight in self._flights.values()), *self._waiting):
            self._reply_error(chunk, reason)
        self._flights.clear()
        self._waiting.clear()
        self._report()

    def _reply_error(self, chunk: Chunk, reason: str) -> None:
        for message in chunk.messages:
            error = Error(ErrorCode.UNKNOWN, reason)
            self._replies[message.metadata.message_id] = Message(error, reply_to=message)

    def _collect_totals(self) -> Aggregate | None:
        """Let each fog sum its cohorts' sums, and sum those of the fogs."""
        sums = [
            self._pool.fogs[fog].combine.remote(*totals) for fog, totals in self._totals.items()
        ]
        self._totals.clear()
        return combine(ray.get(sums))
