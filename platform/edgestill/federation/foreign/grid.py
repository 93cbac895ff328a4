"""The Grid that a foreign ServerApp is given: its threads ask, and one owner serves them.

Flower's older strategies send one message from each of many threads; a grid over actors has one
owner. What is asked at the same time goes out together, and each answer returns to who asked.
"""

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, Queue

from flwr.app import ArrayRecord, Message, RecordDict
from flwr.proto.node_pb2 import NodeInfo
from flwr.serverapp import Grid
from flwr.supercore.run import Run, RunNotRunningException

from edgestill.errors import RunError
from edgestill.federation.foreign.app import error_reply, stamp
from edgestill.federation.foreign.rounds import RoundBook

QUIET_S = 0.005
"""Who sends alone is waited for so long after each other: older strategies start many threads."""

PULL_EVERY_S = 0.01
TIMED_OUT = "TimedOut"


@dataclass(slots=True, kw_only=True)
class Ask:
    """What a thread of the ServerApp wants: replies to messages, to push them, or to pull some.

    Attributes:
        messages: to send.
        timeout_s: given by the app.
        waits: whether the replies are waited for.
        pull: ids of the messages whose replies are wanted if they have come.
        answer: replies, or the ids of pushed messages.
    """

    messages: list[Message] = field(default_factory=list)
    timeout_s: float | None = None
    waits: bool = True
    pull: list[str] | None = None
    answer: "Future[list[Message] | list[str]]" = field(default_factory=Future)


class AppGrid(Grid):
    """Gives a ServerApp's threads the grid that the calling thread of :meth:`serve` owns.

    Args:
        grid: that runs the messages.
        book: of the rounds.
        timeout_s: after which a message without a reply is given up, unless the app gives up
            earlier.
    """

    def __init__(self, grid: Grid, book: RoundBook, *, timeout_s: float) -> None:
        self._grid = grid
        self._book = book
        self._timeout_s = timeout_s
        self._asked: Queue[Ask | None] = Queue()
        self._pushed: dict[str, tuple[Message, float]] = {}
        self._given_up: dict[str, Message] = {}
        self.failure: RunError | None = None
        self._closed = False

    def set_run(self, run: Run) -> None:
        """Set the run."""
        self._grid.set_run(run)

    @property
    def run(self) -> Run:
        """The run."""
        return self._grid.run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """Return a message of this run."""
        return self._grid.create_message(content, message_type, dst_node_id, group_id, ttl)

    def get_node_ids(self) -> Iterable[int]:
        """Return all nodes."""
        self._check_open()
        return list(self._grid.get_node_ids())

    def get_nodes(self) -> Iterable[NodeInfo]:
        """Return all nodes."""
        return [NodeInfo(node_id=node_id) for node_id in self.get_node_ids()]

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Send messages out and return their ids; replies are pulled."""
        given = list(messages)
        return self._ask(Ask(messages=given, waits=False)) if given else []  # type: ignore[return-value]

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Return the replies that have come, each once."""
        return self._ask(Ask(pull=list(message_ids)))  # type: ignore[return-value]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """Send messages and return a reply to each, in their order, errors included."""
        given = list(messages)
        return self._ask(Ask(messages=given, timeout_s=timeout)) if given else []  # type: ignore[return-value]

    def end(self) -> None:
        """Let :meth:`serve` return: the app has come to its end."""
        self._asked.put(None)

    def serve(self) -> None:
        """Answer until the app ends; the grid behind is used by this thread alone.

        Raises:
            RunError: every device of a round has failed.
        """
        try:
            while (ask := self._next()) is not None:
                self._answer(ask)
            self._book.end()
        except RunError as error:
            self.failure = error
            raise
        finally:
            self._close()

    def _check_open(self) -> None:
        if self._closed:
            # The one exception on which Flower's own threads end without a traceback.
            raise RunNotRunningException

    def _ask(self, ask: Ask) -> list[Message] | list[str]:
        self._check_open()
        self._asked.put(ask)
        if self._closed:
            self._refuse_all()
        return ask.answer.result()

    def _close(self) -> None:
        self._closed = True
        self._refuse_all()

    def _refuse_all(self) -> None:
        while True:
            try:
                ask = self._asked.get_nowait()
            except Empty:
                return
            if ask is not None and not ask.answer.done():
                ask.answer.set_exception(RunNotRunningException())

    def _next(self) -> Ask | None:
        """Wait for what is asked next; a grid with messages under way is kept going meanwhile."""
        while True:
            try:
                return self._asked.get(timeout=PULL_EVERY_S if self._pushed else None)
            except Empty:
                self._keep_going()

    def _answer(self, ask: Ask) -> None:
        try:
            if ask.pull is not None:
                ask.answer.set_result(self._pull(ask.pull))
            elif not ask.waits:
                ask.answer.set_result(self._push(ask.messages))
            else:
                self._exchange([ask, *self._asked_with(ask)])
        except BaseException:
            if not ask.answer.done():
                ask.answer.set_exception(RunNotRunningException())
            raise

    def _asked_with(self, first: Ask) -> list[Ask]:
        """Return what other threads ask for at the same time."""
        others: list[Ask] = []
        while len(first.messages) == 1:
            try:
                ask = self._asked.get(timeout=QUIET_S)
            except Empty:
                break
            if ask is None or ask.pull is not None or not ask.waits:
                self._asked.put(ask)
                break
            others.append(ask)
        return others

    def _exchange(self, asks: Sequence[Ask]) -> None:
        try:
            replies = iter(self._replies([m for ask in asks for m in ask.messages], asks))
            for ask in asks:
                ask.answer.set_result([next(replies) for _ in ask.messages])
        finally:
            for ask in asks:
                if not ask.answer.done():
                    ask.answer.set_exception(RunNotRunningException())

    def _replies(self, messages: list[Message], asks: Sequence[Ask]) -> list[Message]:
        """Return one reply to each message, in their order."""
        self._prepare(messages)
        timeout_s = min([self._timeout_s, *(a.timeout_s for a in asks if a.timeout_s)])
        began_s = time.perf_counter()
        arrived = {
            reply.metadata.reply_to_message_id: reply
            for reply in self._grid.send_and_receive(messages, timeout=timeout_s)
        }
        replies = [
            arrived.get(message.metadata.message_id) or _timed_out(message, timeout_s)
            for message in messages
        ]
        self._book.took(messages, time.perf_counter() - began_s)
        for message, reply in zip(messages, replies, strict=True):
            self._book.received(message, reply)
        return replies

    def _push(self, messages: list[Message]) -> list[str]:
        self._prepare(messages)
        identifiers = list(self._grid.push_messages(messages))
        until_s = time.perf_counter() + self._timeout_s
        self._pushed.update(
            (identifier, (message, until_s))
            for identifier, message in zip(identifiers, messages, strict=True)
        )
        return identifiers

    def _pull(self, identifiers: list[str]) -> list[Message]:
        replies = [self._given_up.pop(i) for i in identifiers if i in self._given_up]
        for reply in self._grid.pull_messages(identifiers):
            sent = self._pushed.pop(reply.metadata.reply_to_message_id, None)
            if sent is not None:
                self._book.received(sent[0], reply)
                replies.append(reply)
        return replies

    def _keep_going(self) -> None:
        """Let the grid hand out what waits, and give up what has been away for too long."""
        self._grid.pull_messages(())
        now_s = time.perf_counter()
        for identifier, (message, until_s) in list(self._pushed.items()):
            if now_s > until_s:
                del self._pushed[identifier]
                reply = _timed_out(message, self._timeout_s)
                self._book.received(message, reply)
                self._given_up[identifier] = reply

    def _prepare(self, messages: Sequence[Message]) -> None:
        turn = self._book.sent(messages)
        for message in messages:
            stamp(message, turn)
        _share_equal_records(messages)


def _timed_out(message: Message, timeout_s: float) -> Message:
    return error_reply(message, TIMED_OUT, f"no reply within {timeout_s:g} s")


def _share_equal_records(messages: Sequence[Message]) -> None:
    """Let records of the very same bytes be one object, so that they travel once.

    The older strategies wrap the same parameters anew for each client.
    """
    known: dict[tuple[object, ...], ArrayRecord] = {}
    for message in messages:
        for name, record in message.content.array_records.items():
            key = tuple((k, id(a.data), a.dtype, a.shape, a.stype) for k, a in record.items())
            message.content[name] = known.setdefault(key, record)
