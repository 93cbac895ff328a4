"""Chunks of messages, the calls that they belong to, and their flights to cohorts."""

import time
from collections import deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import ray
from flwr.app import Error, Message
from flwr.common.constant import ErrorCode

from edgestill.actors.backlog import Backlog
from edgestill.actors.envelopes import Batch, SharedRecords, unpack
from edgestill.actors.fogs import Post
from edgestill.actors.sums import Sums


@dataclass(slots=True, kw_only=True, eq=False)
class Call:
    """Messages that were given to the grid together, and what has come of them.

    Attributes:
        backlog: what was not sent yet.
        shared: the records that several of its messages hold.
        sums: where updates are summed; None where each reply is wanted whole.
        again: chunks that were lost and go out before anything else.
        replies: that have come and were not taken yet.
        in_flight: how many chunks are under way.
        last_s: by cohort, when it last answered (monotonic).
    """

    backlog: Backlog
    shared: SharedRecords
    sums: Sums | None
    again: deque["Chunk"] = field(default_factory=deque)
    replies: deque[Message] = field(default_factory=deque)
    in_flight: int = 0
    began_s: float = field(default_factory=time.monotonic)
    last_s: dict[int, float] = field(default_factory=dict)

    def busy(self) -> bool:
        """Return whether anything waits or is under way."""
        return bool(self.in_flight or self.again or self.backlog)

    def waits(self) -> bool:
        """Return whether anything waits to be sent."""
        return bool(self.again or self.backlog)

    def taken(self) -> Iterator[Message]:
        """Give away the replies that have come."""
        while self.replies:
            yield self.replies.popleft()

    def idle_ratio(self, cohorts: list[int]) -> float:
        """Return the share of the cohorts' time in which they waited for the last of them."""
        end_s = time.monotonic()
        idle_s = sum(end_s - self.last_s.get(cohort, self.began_s) for cohort in cohorts)
        return idle_s / max(len(cohorts) * (end_s - self.began_s), 1e-9)


@dataclass(slots=True, kw_only=True, eq=False)
class Chunk:
    """Messages that go to one cohort together.

    Attributes:
        call: that they belong to.
        batch: what travels; None once it is only ``stored``.
        stored: reference to the batch in the object store.
        size: how many messages.
        parts: into how many objects their devices' new states go.
        kind: of their work.
        amount: of their work.
        attempts: how often an actor was lost over them.
        alone: whether its cohort gets nothing else meanwhile, so that who ends it is known.
        answered: whether their replies have come, so that only their sum is wanted now.
    """

    call: Call
    batch: Batch | None
    stored: Any = None
    size: int
    parts: int
    kind: Hashable
    amount: float
    attempts: int = 0
    alone: bool = False
    answered: bool = False

    def store(self) -> Any:
        """Move the batch into the object store, where it costs this process nothing."""
        if self.stored is None:
            self.stored = ray.put(self.batch)
            self.batch = None
        return self.stored

    def loaded(self) -> Batch:
        """Return the batch, from the object store if it is there."""
        batch: Batch = ray.get(self.stored) if self.batch is None else self.batch
        return batch

    def singles(self) -> list["Chunk"]:
        """Return one chunk for each message, of which nothing was lost yet."""
        batch = self.loaded()
        return [
            replace(self, batch=batch.only(row), stored=None, size=1, parts=1, attempts=0)
            for row in batch.rows
        ]

    def errors(self, reason: str) -> list[Message]:
        """Return an error reply to each message."""
        return [error_reply(unpack(row), reason) for row in self.loaded().rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """A chunk under way.

    Attributes:
        chunk: of messages.
        cohort: number of the actor.
        node: of the cluster, where the actor is.
        fog: of the actor.
        total: reference to the sum of its updates.
        states: references to its devices' new states.
        foretold_s: how long it should take there.
        sent_s: when it was sent (monotonic).
    """

    chunk: Chunk
    cohort: int
    node: str
    fog: Post
    total: Any
    states: list[Any]
    foretold_s: float
    sent_s: float


def error_reply(message: Message, reason: str) -> Message:
    """Return the reply that stands for one that did not come."""
    return Message(Error(ErrorCode.UNKNOWN, reason), reply_to=message)
