"""Replies are summed where they arise: in a cohort, in a fog, at the latest in the coordinator."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict

from edgestill.codec import decode_arrays
from edgestill.errors import FrameError, RunError
from edgestill.federation.aggregation.update import Aggregate, Update
from edgestill.federation.messages import FRAME, METRICS, UPDATE, config_record

SUM_ARRAYS, SUM_KEYS = "sum-arrays", "sum-keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """Replies without the updates that could be summed, and the sum of those (None for none)."""

    replies: list[Message]
    total: Aggregate | None


def read_update(reply: Message, fingerprint: int) -> Update:
    """Decode a device's update.

    Raises:
        FrameError: the frame is damaged or of another model, or the reply lacks something.
    """
    try:
        frame = config_record(reply.content, UPDATE)[FRAME]
        examples = cast(MetricRecord, reply.content[METRICS])["num-examples"]
    except KeyError as error:
        raise FrameError(f"update without {error}") from error
    return decode_update(frame, examples, fingerprint)


def decode_update(frame: object, examples: object, fingerprint: int) -> Update:
    """Decode an update of so many examples.

    Raises:
        FrameError: the frame is damaged or of another model, or there are no examples.
    """
    if not isinstance(frame, bytes) or not isinstance(examples, int) or examples < 1:
        raise FrameError(f"update of {examples!r} examples; expected a frame of at least 1")
    return Update(delta=decode_arrays(frame, fingerprint=fingerprint), examples=examples)


def fold(replies: Iterable[Message], fingerprint: int) -> Folded:
    """Take the summable updates out of replies and add them up; other messages pass unchanged.

    So does a reply with an update that cannot be read: one bad device must not take its cohort
    down, and whoever collects the replies counts it.

    Raises:
        RunError: the updates are too large to be summed.
    """
    total: Aggregate | None = None
    rest: list[Message] = []
    for reply in replies:
        if reply.has_content() and is_summable(reply):
            try:
                one = Aggregate.of(read_update(reply, fingerprint))
            except (FrameError, RunError):
                one = None
            if one is not None:
                total = one if total is None else total + one
                del reply.content[UPDATE]
        rest.append(reply)
    return Folded(replies=rest, total=total)


def combine(totals: Sequence[Aggregate | None]) -> Aggregate | None:
    """Add the sums of several cohorts or fogs."""
    present = [total for total in totals if total is not None]
    return sum(present[1:], present[0]) if present else None


def sum_message(total: Aggregate, request: Message) -> Message:
    """Wrap a sum as one more reply."""
    arrays = ArrayRecord(
        {str(number): Array(values) for number, values in enumerate(total.sums.values())}
    )
    keys = ConfigRecord(
        {
            "names": [name for name, _ in total.sums],
            "weights": [total.weights[key] for key in total.sums],
            "magnitude": total.magnitude,
            "updates": total.updates,
        }
    )
    return Message(RecordDict({SUM_ARRAYS: arrays, SUM_KEYS: keys}), reply_to=request)


def read_sum(message: Message) -> Aggregate | None:
    """Unwrap :func:`sum_message`; None when the message carries no sum."""
    if not message.has_content() or SUM_KEYS not in message.content:
        return None
    keys = config_record(message.content, SUM_KEYS)
    arrays = [array.numpy() for array in message.content.array_records[SUM_ARRAYS].values()]
    names = cast(list[str], keys["names"])
    blocks = [(name, array.shape) for name, array in zip(names, arrays, strict=True)]
    return Aggregate(
        {block: array.astype(np.int64) for block, array in zip(blocks, arrays, strict=True)},
        dict(zip(blocks, cast(list[int], keys["weights"]), strict=True)),
        cast(int, keys["magnitude"]),
        cast(int, keys["updates"]),
    )


def is_summable(reply: Message) -> bool:
    """Return whether a reply carries an update that may be summed on its way."""
    update = reply.content.get(UPDATE)
    return isinstance(update, ConfigRecord) and update.get("reduce") == "sum"
