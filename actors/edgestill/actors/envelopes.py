"""A chunk of messages as it travels: what many messages share goes by reference, once.

Messages travel as plain values, which costs a third of what Flower's objects cost to pickle.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import ray
from flwr.app import ArrayRecord, Context, Error, Message, Metadata, RecordDict

LEAST_SHARED_BYTES = 4096
"""Smaller records travel in their messages: a reference costs about as much."""

Row = tuple[dict[str, Any], dict[str, Any] | None, Error | None]
"""A message as plain values: metadata, content, error."""


def pack(message: Message) -> Row:
    """Return a message as plain values."""
    content = dict(message.content) if message.has_content() else None
    return message.metadata.__dict__, content, None if content is not None else message.error


def unpack(row: Row) -> Message:
    """Return the message that :func:`pack` took apart."""
    metadata = Metadata.__new__(Metadata)
    metadata.__dict__.update(row[0])
    message = Message.__new__(Message)
    content = None if row[1] is None else RecordDict(row[1])
    message.__dict__.update(_metadata=metadata, _content=content, _error=row[2])
    return message


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Messages for one cohort, without the records and states that travel on their own.

    Attributes:
        rows: the messages; in the place of a shared record stands its number in ``references``.
        nodes: node id to node configuration, of all nodes that the messages go to.
        run_id: of the nodes' contexts.
        run_config: of the nodes' contexts.
        references: object references, each to one record.
        states: node id to the number of the object in ``state_references`` that holds its state;
            nodes without a state are left out.
        state_references: object references, each to the states of some nodes.
        fold: whether updates may be summed.
        parts: into how many objects the nodes' new states go.
    """

    rows: list[Row]
    nodes: Mapping[int, Mapping[str, Any]]
    run_id: int
    run_config: Mapping[str, Any]
    references: list[Any]
    states: Mapping[int, int] = field(default_factory=dict)
    state_references: list[Any] = field(default_factory=list)
    fold: bool
    parts: int

    def messages(self) -> list[Message]:
        """Return the messages, each shared record fetched once and put where it belongs."""
        records = ray.get(self.references)
        messages = []
        for metadata, content, error in self.rows:
            whole = {
                name: records[record] if isinstance(record, int) else record
                for name, record in (content or {}).items()
            }
            messages.append(unpack((metadata, whole, error)))
        return messages

    def only(self, row: Row) -> "Batch":
        """Return a batch of one of its messages."""
        node = row[0]["_dst_node_id"]
        return replace(
            self,
            rows=[row],
            nodes={node: self.nodes[node]},
            states={node: self.states[node]} if node in self.states else {},
            parts=1,
        )

    def contexts(self) -> dict[int, Context]:
        """Return each node's context, with nothing in its state."""
        return {
            node_id: Context(
                run_id=self.run_id,
                node_id=node_id,
                node_config=dict(config),
                state=RecordDict(),
                run_config=dict(self.run_config),
            )
            for node_id, config in self.nodes.items()
        }


class SharedRecords:
    """The references of one call's shared records, by the record's identity.

    A record counts as shared when two messages that wait together hold it.
    """

    def __init__(self) -> None:
        self._holders: Counter[int] = Counter()
        self._references: dict[int, Any] = {}
        # Identity holds only while the record lives.
        self._keep_alive: list[Any] = []

    def enter(self, message: Message) -> None:
        """Count the records of a message that begins to wait."""
        self._holders.update(map(id, message.content.values()))

    def rows(self, messages: Sequence[Message]) -> tuple[list[Row], list[Any]]:
        """Return messages that waited as rows, and the references that these number."""
        numbers: dict[int, int] = {}
        rows: list[Row] = []
        for message in messages:
            content = {}
            for name, record in message.content.items():
                shared = self._is_shared(record)
                content[name] = numbers.setdefault(id(record), len(numbers)) if shared else record
            rows.append((message.metadata.__dict__, content, None))
        return rows, [self._references[identity] for identity in numbers]

    def leave(self, messages: Iterable[Message]) -> None:
        """Count no more the records of messages that wait no more."""
        for message in messages:
            for record in message.content.values():
                self._holders[id(record)] -= 1
                if not self._holders[id(record)]:
                    del self._holders[id(record)]

    def _is_shared(self, record: Any) -> bool:
        if id(record) in self._references:
            return True
        if self._holders[id(record)] < 2 or not _large(record):
            return False
        self._references[id(record)] = ray.put(record)
        self._keep_alive.append(record)
        return True


def _large(record: Any) -> bool:
    if isinstance(record, ArrayRecord):
        return sum(len(array.data) for array in record.values()) >= LEAST_SHARED_BYTES
    return sum(len(v) for v in record.values() if isinstance(v, bytes)) >= LEAST_SHARED_BYTES
