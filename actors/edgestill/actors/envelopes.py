"""Records that many messages share travel once: by reference into the object store."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from flwr.app import ArrayRecord, Context, Message, RecordDict

LEAST_SHARED_BYTES = 4096
"""Smaller records travel in their messages: a reference costs about as much."""

Place = tuple[int, str]
"""Position of a message in its batch, and the name of one of its records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Messages for one cohort, without the records that travel on their own.

    Attributes:
        messages: of the batch.
        contexts: of the nodes that they go to, in the same order.
        shared: place to index into ``references``.
        references: object references, each to one record.
    """

    messages: list[Message]
    contexts: list[Context]
    shared: Mapping[Place, int]
    references: list[Any]

    def whole_messages(self) -> list[Message]:
        """Fetch each shared record once and put it back where it belongs."""
        records = ray.get(self.references)
        for (position, name), number in self.shared.items():
            self.messages[position].content[name] = records[number]
        return self.messages


class SharedRecords:
    """The references of one call's shared records, by the record's identity."""

    def __init__(self, messages: Sequence[Message]) -> None:
        counts = Counter(id(record) for m in messages for record in m.content.values())
        self._references: dict[int, Any] = {}
        # Identity holds only while the record lives.
        self._keep_alive = []
        for message in messages:
            for record in message.content.values():
                if counts[id(record)] > 1 and id(record) not in self._references and _large(record):
                    self._references[id(record)] = ray.put(record)
                    self._keep_alive.append(record)

    def batch(self, messages: Sequence[Message], contexts: Sequence[Context]) -> Batch:
        """Return messages as a batch; the messages given stay as they are."""
        shared: dict[Place, int] = {}
        numbers: dict[int, int] = {}
        stripped = []
        for position, message in enumerate(messages):
            own = {}
            for name, record in message.content.items():
                if id(record) in self._references:
                    shared[position, name] = numbers.setdefault(id(record), len(numbers))
                else:
                    own[name] = record
            stripped.append(_with_content(message, RecordDict(own)))
        return Batch(
            messages=stripped,
            contexts=list(contexts),
            shared=shared,
            references=[self._references[identity] for identity in numbers],
        )


def _with_content(message: Message, content: RecordDict) -> Message:
    # Flower documents this form for internal use; only it keeps the metadata, ids included.
    return Message(content=content, metadata=message.metadata)  # type: ignore[call-overload,no-any-return]


def _large(record: Any) -> bool:
    if isinstance(record, ArrayRecord):
        return sum(len(array.data) for array in record.values()) >= LEAST_SHARED_BYTES
    return sum(len(v) for v in record.values() if isinstance(v, bytes)) >= LEAST_SHARED_BYTES
