"""Flower's Grid over a fleet of actors.

Records that many messages share, such as the global model, are put into the object store once.
Messages go out in chunks of equal work, two in flight for each cohort; replies are handed on as
they land and kept no longer. Updates that may be summed are summed in the cohort and then in the
fog of its node; their arrays never pass through the coordinator, nor does what devices keep between
rounds. When a cohort or a node dies, exactly what was lost with it is run again.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from flwr.app import Message

from edgestill.actors.backlog import Backlog
from edgestill.actors.chunks import Call, error_reply
from edgestill.actors.envelopes import Batch, SharedRecords
from edgestill.actors.flights import Flights
from edgestill.actors.pool import Pool
from edgestill.actors.states import DeviceStates
from edgestill.actors.sums import Sums
from edgestill.actors.work import Pace, WorkOf
from edgestill.errors import RunError
from edgestill.federation import Aggregate, FleetGrid, combine, sum_message

log = logging.getLogger(__name__)


class RayGrid(FleetGrid):
    """Runs a ClientApp for N devices on a pool's cohorts.

    Args:
        pool: of cohorts.
        devices: how many.
        run_id: Flower's.
        examples_of: how many examples a device has, by node id, to foretell how long it takes;
            without it all are taken to be alike.
    """

    def __init__(
        self,
        pool: Pool,
        devices: int,
        run_id: int = 1,
        *,
        examples_of: Callable[[int], int] | None = None,
    ) -> None:
        super().__init__(devices, run_id)
        self._pool = pool
        self._work_of = WorkOf(examples_of)
        self._pace = Pace()
        self._states = DeviceStates(pool.store)
        self._flights = Flights(pool, self._batch, self._pace, self._states)
        self._pushed: list[Call] = []
        self._replies: dict[str, Message] = {}

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Send messages out and return their ids; replies are pulled, each whole."""
        pushed = list(messages)
        if not pushed:
            return []
        call = self._call(pushed, None)
        self._pushed.append(call)
        self._flights.begin(call)
        return [message.metadata.message_id for message in pushed]

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Return the replies that have come, each once."""
        if self._pushed:
            self._flights.step(0.0)
        for call in list(self._pushed):
            for reply in call.taken():
                self._replies[reply.metadata.reply_to_message_id] = reply
            if not call.busy():
                self._end(call)
                self._pushed.remove(call)
        present = [identifier for identifier in message_ids if identifier in self._replies]
        return [self._replies.pop(identifier) for identifier in present]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterator[Message]:
        """Send messages and give each reply as it comes, and at last the sum of what may be summed.

        Messages that are made one by one are taken as chunks go out. What has not come after
        ``timeout`` seconds is replied to by an error ``TimedOut``, and the cohorts that still work
        on it are replaced.

        Raises:
            RunError: updates were lost with a node, and their devices did not answer in time when
                they were asked again.
        """
        call = self._call(messages, Sums())
        end_s = None if timeout is None else time.monotonic() + timeout
        self._flights.begin(call)
        return self._answers(call, timeout, end_s)

    def _answers(self, call: Call, timeout: float | None, end_s: float | None) -> Iterator[Message]:
        try:
            while call.busy():
                yield from call.taken()
                if end_s is not None and time.monotonic() >= end_s:
                    yield from self._timed_out(call, f"TimedOut: no reply within {timeout:g} s")
                    break
                self._flights.step(None if end_s is None else max(0.0, end_s - time.monotonic()))
            self._export_idle(call)
            yield from call.taken()
            total = self._total(call, timeout)
            if total is not None and call.backlog.first is not None:
                yield sum_message(total, call.backlog.first)
        finally:
            self._end(call)

    def _timed_out(self, call: Call, reason: str) -> Iterator[Message]:
        self._flights.give_up(call, reason)
        unsent = (error_reply(message, reason) for message in call.backlog.drain())
        return chain(call.taken(), unsent)

    def _total(self, call: Call, timeout: float | None) -> Aggregate | None:
        """Fetch one sum for each fog; run again what lay on a node that was lost."""
        total = None
        while call.sums is not None:
            fetched, lost = call.sums.fetch()
            total = combine([total, fetched])
            if not lost:
                break
            devices = sum(chunk.size for chunk in lost)
            log.warning("the updates of %d devices were lost with a node; run again", devices)
            call.again.extend(lost)
            self._finish(call, timeout, devices)
        return total

    def _finish(self, call: Call, timeout: float | None, devices: int) -> None:
        end_s = None if timeout is None else time.monotonic() + timeout
        self._flights.step(0.0)
        while call.busy():
            left_s = None if end_s is None else end_s - time.monotonic()
            if left_s is not None and left_s <= 0:
                raise RunError(
                    f"{devices} devices' updates were lost with a node of the cluster, and not all "
                    f"of them answered again within {timeout:g} s"
                )
            self._flights.step(left_s)

    def _call(self, messages: Iterable[Message], sums: Sums | None) -> Call:
        shared = SharedRecords()
        backlog = Backlog(
            messages,
            work_of=self._work_of,
            home_of=self._states.home,
            pace=self._pace,
            shared=shared,
        )
        return Call(backlog=backlog, shared=shared, sums=sums)

    def _batch(self, call: Call, messages: list[Message]) -> Batch:
        """Return what of messages travels to a cohort."""
        rows, references = call.shared.rows(messages)
        call.shared.leave(messages)
        contexts: dict[int, Any] = {
            node: self._contexts[node] for node in (m.metadata.dst_node_id for m in messages)
        }
        states, state_references = self._states.places(contexts)
        return Batch(
            rows=rows,
            nodes={node: context.node_config for node, context in contexts.items()},
            run_id=self.run.run_id,
            run_config=next(iter(contexts.values())).run_config,
            references=references,
            states=states,
            state_references=state_references,
            fold=call.sums is not None,
            parts=self._states.parts(len(contexts)),
        )

    def _end(self, call: Call) -> None:
        self._flights.end(call)
        self._states.tell_lost()

    def _export_idle(self, call: Call) -> None:
        idle_ratio = call.idle_ratio(self._pool.open())
        self._pool.store.set("edgestill_cohorts_idle_ratio", idle_ratio)
