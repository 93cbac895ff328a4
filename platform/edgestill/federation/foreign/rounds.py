"""The record of a foreign app's rounds: who was asked, who answered, who failed and why."""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from flwr.app import Message

from edgestill.errors import RunError
from edgestill.federation.foreign.guard import TRAIN, category_of
from edgestill.federation.local_grid import FIRST_NODE_ID
from edgestill.telemetry import MetricStore, log_fields

log = logging.getLogger(__name__)

MOST_LINES = 20
"""Failures of one kind of work in one round that are logged one by one."""

ROUND = "server-round"
"""Key by which Flower's strategies tell a client the round."""

COUNTED = "_edgestill_round"
"""Key of the round that a message was counted in, beside its metadata."""

ERROR_REPLY, NOT_OK = "ErrorReply", "NotOk"
STATUSES = ("fitres.status", "evaluateres.status", "getparametersres.status")
OWN_REASONS = frozenset(
    {"Raised", "LoadFailed", "WrongType", "WrongShape", "NotFinite", "TimedOut", "ActorLost"}
)


@dataclass(slots=True, kw_only=True)
class Work:
    """One kind of work (train, evaluate, ...) in one round.

    Attributes:
        asked: messages sent.
        answered: replies that the strategy can use.
        failed: the others by reason.
        wall_s: from sending to the last reply, without the strategy's own time.
    """

    asked: int = 0
    answered: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    wall_s: float = 0.0


@dataclass(slots=True, kw_only=True)
class Round:
    """One round; 0 is what comes before the first.

    Attributes:
        number: as the strategy counts.
        work: by kind, in the order of asking.
        wall_s: until the next round began, aggregation and the server's evaluation included.
    """

    number: int
    work: dict[str, Work] = field(default_factory=lambda: defaultdict(Work))
    wall_s: float = 0.0


class RoundBook:
    """Follows an app's rounds from the messages that it sends.

    Args:
        name: of the app, the metrics' group.
        store: where failures are counted by reason.
        on_round: told each round that is over.
    """

    def __init__(
        self, name: str, store: MetricStore, on_round: Callable[[Round], None] = lambda _: None
    ) -> None:
        self._name = name
        self._store = store
        self._on_round = on_round
        self._began_s = time.perf_counter()
        self._now: tuple[int, str] | None = None
        self._first_failure = ""
        self.turn = 0
        self.rounds: list[Round] = []

    def sent(self, messages: Iterable[Message]) -> int:
        """Enter messages about to be sent, and return the number of this exchange, from 1.

        Raises:
            RunError: what is over now has failed on every device.
        """
        self.turn += 1
        for message in messages:
            self._enter(message)
        return self.turn

    def received(self, sent: Message, reply: Message) -> None:
        """Enter the reply to a message; a failure is one line of the log."""
        row = self._row(self.round_of(sent))
        kind = category_of(sent)
        reason = failure_of(reply)
        if reason is None:
            row.work[kind].answered += 1
            self._count(kind, "edgestill_devices_completed_total")
        else:
            self._fail(row, kind, sent, reply, reason)

    def took(self, messages: Iterable[Message], wall_s: float) -> None:
        """Enter how long an exchange took, once for each kind of work in it."""
        for number, kind in {(self.round_of(m), category_of(m)) for m in messages}:
            self._row(number).work[kind].wall_s += wall_s

    def end(self) -> None:
        """Enter that the app has come to its end.

        Raises:
            RunError: its last round has failed on every device.
        """
        if self._now is not None:
            self._close_work(*self._now)
            self._close_round()
            self._now = None

    def round_of(self, message: Message) -> int:
        """Return a message's round: the strategy's own number where it tells it."""
        for record in message.content.config_records.values():
            if isinstance(number := record.get(ROUND), int):
                return number
        if message.metadata.group_id.isdigit():
            return int(message.metadata.group_id)
        counted = message.metadata.__dict__.get(COUNTED)
        return counted if isinstance(counted, int) else self._next_number(message)

    def _next_number(self, message: Message) -> int:
        """Count where the app does not: each time that training begins is a round."""
        number, kind = self._now or (0, "")
        return number + 1 if category_of(message) == TRAIN and kind != TRAIN else number

    def _enter(self, message: Message) -> None:
        key = (self.round_of(message), category_of(message))
        # Where the app does not say the round, the message remembers what it was counted as.
        message.metadata.__dict__[COUNTED] = key[0]
        if key != self._now:
            self._go_to(key)
        self._row(key[0]).work[key[1]].asked += 1
        self._count(key[1], "edgestill_devices_selected_total")

    def _go_to(self, key: tuple[int, str]) -> None:
        if self._now is not None:
            self._close_work(*self._now)
            if key[0] != self._now[0]:
                self._close_round()
        self._now = key
        self._store.set("edgestill_round_started_timestamp_seconds", time.time())

    def _close_work(self, number: int, kind: str) -> None:
        row = self._row(number)
        hidden = row.work[kind].failed.total() - MOST_LINES
        if hidden > 0:
            with log_fields(round_number=number, stage=kind):
                log.warning("%d more devices failed", hidden)
        if kind == TRAIN:
            self._check_not_all_failed(number, [self._row(number).work[kind]])

    def _check_not_all_failed(self, number: int, works: Collection[Work]) -> None:
        asked = sum(work.asked for work in works)
        failed: Counter[str] = sum((work.failed for work in works), Counter())
        if asked and failed.total() == asked:
            reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(failed.items()))
            raise RunError(
                f"round {number}: all of {asked} devices failed ({reasons}); the first, "
                f"{self._first_failure}"
            )

    def _close_round(self) -> None:
        now_s = time.perf_counter()
        row = self.rounds[-1]
        self._check_not_all_failed(row.number, row.work.values())
        row.wall_s, self._began_s = now_s - self._began_s, now_s
        self._first_failure = ""
        if row.number > 0:
            self._store.set("edgestill_round", row.number)
            self._store.inc("edgestill_rounds_total")
            self._store.observe("edgestill_round_wall_seconds", row.wall_s)
        self._on_round(row)

    def _row(self, number: int) -> Round:
        found = next((row for row in reversed(self.rounds) if row.number == number), None)
        if found is None:
            if not self.rounds:
                self._began_s = time.perf_counter()
            found = Round(number=number)
            self.rounds.append(found)
        return found

    def _count(self, kind: str, metric: str) -> None:
        if kind == TRAIN:
            self._store.inc(metric, group=self._name)

    def _fail(self, row: Round, kind: str, sent: Message, reply: Message, reason: str) -> None:
        device = sent.metadata.dst_node_id - FIRST_NODE_ID
        text = reply.error.reason if reply.has_error() else _status(reply)
        first, *rest = (text or reason).strip().splitlines()
        row.work[kind].failed[reason] += 1
        self._store.inc("edgestill_devices_failed_total", reason=reason)
        self._first_failure = self._first_failure or "\n".join([f"device {device}: {first}", *rest])
        if row.work[kind].failed.total() <= MOST_LINES:
            with log_fields(round_number=row.number, device=device, stage=kind):
                log.warning("%s", first)


def failure_of(reply: Message) -> str | None:
    """Return why a strategy cannot use a reply, one of a few short labels; None if it can."""
    if reply.has_error():
        label = (reply.error.reason or "").partition(":")[0]
        return label if label in OWN_REASONS else ERROR_REPLY
    return NOT_OK if _status(reply) else None


def _status(reply: Message) -> str:
    """Return what a client of the older kind says is not in order; empty if all is."""
    for name in STATUSES:
        record = reply.content.config_records.get(name)
        if record is not None and record.get("code"):
            return f"{NOT_OK}: {str(record.get('message', '')) or record['code']!r}"
    return ""
