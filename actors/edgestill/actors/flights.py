"""Chunks on their way to cohorts and back: who gets the next one, what is done when one is lost.

A chunk goes to the cohort that is foretold to have done it first. When a cohort dies, exactly its
unfinished chunks are run again elsewhere.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import ray

from edgestill.actors.chunks import Call, Chunk, Flight
from edgestill.actors.cohort import BatchAnswer
from edgestill.actors.envelopes import Batch, unpack
from edgestill.actors.pool import Pool
from edgestill.actors.states import DeviceStates
from edgestill.actors.work import Pace

log = logging.getLogger(__name__)

IN_FLIGHT_PER_COHORT = 2
LONG_S = 0.25
"""A cohort with a chunk as long gets no second one: the few milliseconds until the next comes are
nothing beside it, and another cohort may be free sooner."""

MOST_ATTEMPTS = 3
"""A chunk that outlived this many actors is cut up; a single device that did is given up."""

OVERDUE_SHARE = 0.5
"""What is late is taken to need this share of the time more that it has taken so far."""

LONGEST_WAIT_S = 5.0
"""The pool is looked at so often, also while nothing lands."""

LOST = (
    ray.exceptions.RayActorError,
    ray.exceptions.WorkerCrashedError,
    ray.exceptions.ObjectLostError,
)

BatchOf = Callable[[Call, Any], Batch]


class Flights:
    """All chunks under way on a pool.

    Args:
        pool: of cohorts.
        batch_of: makes a batch of a call's messages.
        pace: how long work takes.
        states: of the devices.
    """

    def __init__(self, pool: Pool, batch_of: BatchOf, pace: Pace, states: DeviceStates) -> None:
        self._pool = pool
        self._batch_of = batch_of
        self._pace = pace
        self._states = states
        self._calls: list[Call] = []
        self._under_way: dict[Any, Flight] = {}
        self._freed_s: dict[int, float] = {}

    def begin(self, call: Call) -> None:
        """Send what can be sent of a call."""
        self._calls.append(call)
        self._adapt()
        self._send()

    def end(self, call: Call) -> None:
        """Send no more of a call, and take no more replies to it."""
        if call in self._calls:
            self._calls.remove(call)
        call.backlog.close()
        call.again.clear()

    def busy_cohorts(self) -> set[int]:
        """Return the cohorts that have work under way."""
        return {flight.cohort for flight in self._under_way.values()}

    def step(self, wait_s: float | None) -> None:
        """Take what has come, waiting so long for the first (None: for ever), and send more."""
        for reference in _arrived([*self._under_way, *self._pool.starting()], wait_s):
            if reference in self._under_way:
                self._land(reference)
        self._pool.settle()
        if any(call.waits() for call in self._calls):
            self._adapt()
        self._send()

    def give_up(self, call: Call, reason: str) -> None:
        """Reply an error to what is missing of a call; cohorts that still work on it go."""
        stuck = [flight for flight in self._under_way.values() if flight.chunk.call is call]
        for cohort in {flight.cohort for flight in stuck}:
            self._pool.replace(cohort)
            self._requeue(self._grounded(cohort, without=call))
        for chunk in (*(flight.chunk for flight in stuck), *call.again):
            self._reply(chunk, chunk.errors(reason))
        call.again.clear()
        call.in_flight = 0
        self._report()

    def _land(self, reference: Any) -> None:
        flight = self._under_way[reference]
        try:
            answer: BatchAnswer = ray.get(reference)
        except LOST as error:
            self._lose(flight.cohort, error)
            return
        del self._under_way[reference]
        chunk, call = flight.chunk, flight.chunk.call
        call.in_flight -= 1
        self._freed_s[flight.cohort] = call.last_s[flight.cohort] = time.monotonic()
        self._pace.learn(chunk.kind, flight.node, chunk.amount, answer.seconds)
        self._states.keep(answer.states, flight.states, flight.node)
        if call not in self._calls:
            return
        self._reply(chunk, [unpack(row) for row in answer.rows])
        if call.sums is not None and answer.summed:
            chunk.answered = True
            # What lies on the driver's own node can only be lost together with the driver.
            remembered = chunk if self._pool.may_be_lost(flight.node, flight.fog) else None
            call.sums.add(flight.fog, flight.total, remembered)

    def _reply(self, chunk: Chunk, replies: list[Any]) -> None:
        if not chunk.answered:
            chunk.call.replies.extend(replies)

    def _adapt(self) -> None:
        """Let the pool follow its load."""
        held = sum(call.backlog.held + sum(c.size for c in call.again) for call in self._calls)
        flying = sum(flight.chunk.size for flight in self._under_way.values())
        self._pool.adapt(work=held + flying, busy=self.busy_cohorts())

    def _send(self) -> None:
        while (cohort := self._soonest_free()) is not None:
            idle = all(flight.cohort != cohort for flight in self._under_way.values())
            chunk = self._next_chunk(self._pool.node_of(cohort), idle)
            if chunk is None:
                break
            self._launch(chunk, cohort)
        self._report()

    def _soonest_free(self) -> int | None:
        """Return the cohort with room that is foretold to be free first; None if none has room."""
        left_s = dict.fromkeys(self._pool.open(), 0.0)
        loads: Counter[int] = Counter()
        for flight in self._under_way.values():
            if flight.cohort in left_s:
                left_s[flight.cohort] += self._left_s(flight, first=not loads[flight.cohort])
                fills = flight.chunk.alone or flight.foretold_s >= LONG_S
                loads[flight.cohort] += IN_FLIGHT_PER_COHORT if fills else 1
        room = [cohort for cohort in left_s if loads[cohort] < IN_FLIGHT_PER_COHORT]
        return min(room, key=lambda c: (loads[c] > 0, left_s[c], c), default=None)

    def _left_s(self, flight: Flight, *, first: bool) -> float:
        """Return how long a flight will still take; a cohort works on the first of its own."""
        if not first:
            return flight.foretold_s
        since_s = max(flight.sent_s, self._freed_s.get(flight.cohort, 0.0))
        elapsed_s = time.monotonic() - since_s
        return max(flight.foretold_s - elapsed_s, OVERDUE_SHARE * elapsed_s)

    def _next_chunk(self, node: str, idle: bool) -> Chunk | None:
        """Return what a cohort on a node should do next, of the oldest call that has anything."""
        for call in self._calls:
            if call.again:
                return call.again.popleft() if idle or not call.again[0].alone else None
            # Those that are starting will want their share too.
            cut = call.backlog.cut(node, len(self._pool.cohorts))
            if cut is not None:
                batch = self._batch_of(call, cut.messages)
                return Chunk(
                    call=call,
                    batch=batch,
                    size=len(cut.messages),
                    parts=batch.parts,
                    kind=cut.kind,
                    amount=cut.amount,
                )
        return None

    def _launch(self, chunk: Chunk, cohort: int) -> None:
        node, fog = self._pool.node_of(cohort), self._pool.fog_of(cohort)
        away = chunk.call.sums is not None and self._pool.may_be_lost(node, fog)
        cargo = chunk.store() if away or chunk.batch is None else chunk.batch
        actor = self._pool.cohorts[cohort]
        answer, total, *states = actor.run.options(num_returns=2 + chunk.parts).remote(cargo)
        chunk.call.in_flight += 1
        self._under_way[answer] = Flight(
            chunk=chunk,
            cohort=cohort,
            node=node,
            fog=fog,
            total=total,
            states=states,
            foretold_s=self._pace.seconds(chunk.kind, chunk.amount, node),
            sent_s=time.monotonic(),
        )

    def _lose(self, cohort: int, error: Exception) -> None:
        """Replace a dead cohort and queue again what it had not finished."""
        log.warning("cohort %d died: %s", cohort, type(error).__name__)
        self._pool.replace(cohort)
        # An actor works in the order of sending, so it died over the first, or, where the answer
        # to that was lost with it, over the second: alone it will be seen.
        running, *others = self._grounded(cohort)
        running.attempts += 1
        running.alone = True
        self._requeue(others)
        self._requeue(self._left_of(running))

    def _grounded(self, cohort: int, without: Call | None = None) -> list[Chunk]:
        """Take back what a cohort held, in the order of sending, without the chunks of one call."""
        held = [answer for answer, one in self._under_way.items() if one.cohort == cohort]
        chunks = [self._under_way.pop(answer).chunk for answer in held]
        for chunk in chunks:
            chunk.call.in_flight -= 1
        return [chunk for chunk in chunks if chunk.call is not without]

    def _requeue(self, chunks: list[Chunk]) -> None:
        for chunk in reversed(chunks):
            if chunk.call in self._calls:
                chunk.call.again.appendleft(chunk)

    def _left_of(self, chunk: Chunk) -> list[Chunk]:
        """Find the device that kills its actors: cut its chunk up, and give it up at last."""
        if chunk.attempts < MOST_ATTEMPTS:
            return [chunk]
        if chunk.size > 1:
            return chunk.singles()
        self._reply(chunk, chunk.errors(f"ActorLost: the device ended {chunk.attempts} actors"))
        return []

    def _report(self) -> None:
        queues: Counter[int] = Counter()
        for flight in self._under_way.values():
            queues[flight.cohort] += flight.chunk.size
        self._pool.report_queues(queues)


def _arrived(awaited: list[Any], wait_s: float | None) -> list[Any]:
    """Return all that has come once the first has, or what has come when time is up."""
    if not awaited:
        return []
    wait_s = LONGEST_WAIT_S if wait_s is None else min(wait_s, LONGEST_WAIT_S)
    ready, _ = ray.wait(awaited, timeout=wait_s)
    if ready and len(awaited) > 1:
        ready, _ = ray.wait(awaited, num_returns=len(awaited), timeout=0)
    return list(ready)
