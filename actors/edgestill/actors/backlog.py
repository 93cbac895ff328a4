"""What waits to be sent, cut into chunks just when an actor can take one.

The heaviest kind of work goes first. A chunk takes a share of what is left (guided self-scheduling,
Polychronopoulos and Kuck, IEEE Trans. Computers 1987), so the last ones are small and no actor
waits long for another at the end.
"""

import heapq
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

from flwr.app import Message

from edgestill.actors.envelopes import SharedRecords
from edgestill.actors.work import Pace, Work
from edgestill.federation import set_message_id

LARGEST_CHUNK = 64
"""So many devices train together well; more would only make the last chunks late."""

SHARES_PER_COHORT = 2
LEAST_SHARES_PER_COHORT = 8
LEAST_CHUNK_S = 0.05
"""The smallest chunk is such a share of all, or takes so long, whichever is less: below is mostly
overhead."""

ROUNDING = 1.001
"""A share is kept up to this, for the sake of rounding errors."""

LOOK_AHEAD = 1024
"""How many messages are taken from a source that makes them one by one."""

Home = str | None
Group = tuple[Hashable, Home]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Messages of one kind of work that go out together."""

    messages: list[Message]
    kind: Hashable
    amount: float


@dataclass(slots=True)
class Queue:
    """Messages of one kind, the largest first; the number only breaks ties, in order of coming."""

    entries: list[tuple[float, int, Message]] = field(default_factory=list)
    amount: float = 0.0

    def push(self, amount: float, number: int, message: Message) -> None:
        """Take a message in."""
        heapq.heappush(self.entries, (-amount, number, message))
        self.amount += amount

    def pop(self) -> tuple[float, Message]:
        """Return the largest message and its amount."""
        amount, _, message = heapq.heappop(self.entries)
        self.amount += amount
        return -amount, message


class Backlog:
    """Messages of one call on their way out; each gets its id when it is taken in.

    Args:
        messages: a list, all of which is looked at before the first chunk is cut, or any other
            iterable, of which never more than ``LOOK_AHEAD`` are held.
        work_of: what a message asks for.
        home_of: on which node of the cluster the state of a device lies; None for none.
        pace: how long work takes.
        shared: counts what the waiting messages share.

    Attributes:
        held: how many messages were taken in and not cut off yet.
        first: the first message of all.
    """

    def __init__(
        self,
        messages: Iterable[Message],
        *,
        work_of: Callable[[Message], Work],
        home_of: Callable[[int], Home],
        pace: Pace,
        shared: SharedRecords,
    ) -> None:
        self._source: Iterator[Message] = iter(messages)
        self._most = len(messages) if isinstance(messages, list | tuple) else LOOK_AHEAD
        self._work_of, self._home_of = work_of, home_of
        self._pace, self._shared = pace, shared
        self._queues: dict[Group, Queue] = {}
        self._numbers = count()
        self._more = True
        self._most_s = 0.0
        self.held = 0
        self.first: Message | None = None
        self._fill(self._most)

    def __bool__(self) -> bool:
        """Return whether anything is left."""
        self._fill(1)
        return self.held > 0

    def cut(self, node: str, cohorts: int) -> Cut | None:
        """Return the next chunk for a cohort on a node; None when nothing is left.

        Args:
            node: of the cluster; devices whose state lies there, or nowhere, go first.
            cohorts: how many share what is left.
        """
        self._fill(self._most)
        if not self.held:
            return None
        group = self._heaviest(node)
        queue = self._queues[group]
        left_s = self._left_s()
        self._most_s = max(self._most_s, left_s)
        share_s = max(left_s / (SHARES_PER_COHORT * cohorts), self._least_s(cohorts))
        taken: list[Message] = []
        amount = 0.0
        while queue.entries and len(taken) < LARGEST_CHUNK:
            longer_s = self._pace.seconds(group[0], amount - queue.entries[0][0], node)
            if taken and longer_s > share_s * ROUNDING:
                break
            one, message = queue.pop()
            taken.append(message)
            amount += one
        if not queue.entries:
            del self._queues[group]
        self.held -= len(taken)
        return Cut(messages=taken, kind=group[0], amount=amount)

    def drain(self) -> Iterator[Message]:
        """Return what was not sent, and hold nothing any more."""
        waiting = [entry[2] for queue in self._queues.values() for entry in queue.entries]
        source = self._source
        self.close()
        yield from waiting
        for message in source:
            set_message_id(message)
            yield message

    def close(self) -> None:
        """Forget what was not sent."""
        self._queues.clear()
        self._source, self.held, self._more = iter(()), 0, False

    def _fill(self, most: int) -> None:
        while self._more and self.held < most:
            message = next(self._source, None)
            if message is None:
                self._more = False
                break
            set_message_id(message)
            if self.first is None:
                self.first = message
            self._enter(message)

    def _enter(self, message: Message) -> None:
        self._shared.enter(message)
        work = self._work_of(message)
        group = (work.kind, self._home_of(message.metadata.dst_node_id))
        queue = self._queues.setdefault(group, Queue())
        queue.push(work.amount, next(self._numbers), message)
        self.held += 1

    def _heaviest(self, node: str) -> Group:
        """Return the group with the heaviest device among those that are at home on this node.

        Other nodes' devices are taken only when none of these is left.
        """
        groups = [group for group in self._queues if group[1] in (node, None)]
        return max(groups or self._queues, key=self._heaviest_s)

    def _heaviest_s(self, group: Group) -> float:
        return self._pace.seconds(group[0], -self._queues[group].entries[0][0])

    def _left_s(self) -> float:
        return sum(self._pace.seconds(kind, q.amount) for (kind, _), q in self._queues.items())

    def _least_s(self, cohorts: int) -> float:
        share_s = self._most_s / (LEAST_SHARES_PER_COHORT * cohorts)
        return min(share_s, LEAST_CHUNK_S) if self._pace.known() else share_s
