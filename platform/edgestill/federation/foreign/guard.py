"""Whether a foreign client's reply can be used: only what is wrong for certain is refused.

What an app sends and returns is its own affair: other records than those it was sent, adapters
alone, scalars, bytes in arrays of another length, an empty reply. So a shape is wrong only where a
record has the keys of the one that was sent and both hold floats; and a value that is not finite is
wrong only where the one that was sent was finite (a mask holds -inf by right).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Message
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

RAISED, LOAD_FAILED = "Raised", "LoadFailed"
WRONG_TYPE, WRONG_SHAPE, NOT_FINITE = "WrongType", "WrongShape", "NotFinite"

TRAIN = "train"
NUMPY = "numpy.ndarray"
RECORD_SENT = {"fitres.parameters": "fitins.parameters"}
"""Name of a record in a reply to the name that it was sent under, where these differ."""

WEIGHTS = ("num-examples", "num_examples")
MAGIC_BYTES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with a reply: a short label, and a sentence on one line."""

    reason: str
    said: str


def fault_of(sent: Message, reply: object) -> Fault | None:
    """Return what is wrong for certain with what a client returned; None if nothing is.

    Arrays are looked at in replies to training only.

    Args:
        sent: the message that the client was given, with the content that it was sent with.
        reply: whatever the client returned.
    """
    if not isinstance(reply, Message):
        return _wrong_type(f"returned {type(reply).__name__}")
    if reply.metadata.reply_to_message_id != sent.metadata.message_id:
        return _wrong_type("returned a message that replies to another one")
    if reply.has_error():
        return None
    if not reply.has_content():
        return _wrong_type("returned a message without content")
    if category_of(sent) != TRAIN:
        return None
    return next(_array_faults(sent, reply), None) or _weight_fault(reply)


def category_of(message: Message) -> str:
    """Return ``train`` of ``train`` and of ``train.action``."""
    return message.metadata.message_type.partition(".")[0]


def _wrong_type(what: str) -> Fault:
    return Fault(
        reason=WRONG_TYPE, said=f"{what}; expected a flwr.app.Message made with reply_to=message"
    )


def _array_faults(sent: Message, reply: Message) -> Iterator[Fault]:
    for name, record in reply.content.array_records.items():
        given = sent.content.array_records.get(RECORD_SENT.get(name, name), ArrayRecord())
        same_keys = record.keys() == given.keys()
        for key, array in record.items():
            values = _floats(array)
            if values is not None:
                before = _floats(given[key]) if key in given else None
                yield from _faults(f"{name}[{key!r}]", values, before, array, same_keys)


def _faults(
    where: str, values: Floats, before: Floats | None, array: Array, same_keys: bool
) -> Iterator[Fault]:
    comparable = before is not None and before.size > 0 and before.dtype == values.dtype
    if comparable and before is not None and same_keys and before.shape != values.shape:
        said = f"{where} has shape {values.shape}; {before.shape} was sent"
        yield Fault(reason=WRONG_SHAPE, said=said)
    elif not np.isfinite(values).all():
        new = ~np.isfinite(values)
        if before is not None and before.shape == values.shape:
            new &= np.isfinite(before)
        if new.any():
            said = f"{where} holds {int(new.sum())} values that are not finite of {new.size}"
            yield Fault(reason=NOT_FINITE, said=said)


def _weight_fault(reply: Message) -> Fault | None:
    for name, record in reply.content.metric_records.items():
        for key in WEIGHTS:
            value = record.get(key, 0)
            if isinstance(value, int | float) and not (math.isfinite(value) and value >= 0):
                said = f"{name}[{key!r}] is {value}; expected a number from 0"
                return Fault(reason=NOT_FINITE, said=said)
    return None


def _floats(array: Array) -> Floats | None:
    """Return the values without a copy; None where they are not floats, or not known to be."""
    if array.stype != NUMPY:
        return None
    try:
        dtype, shape, fortran, start = _header(array.data)
    except (ValueError, EOFError):
        return None
    if dtype.kind != "f" or len(array.data) - start != dtype.itemsize * math.prod(shape):
        return None
    flat = np.frombuffer(array.data, dtype, offset=start)
    return flat.reshape(shape, order="F" if fortran else "C")


def _header(data: bytes) -> tuple[np.dtype[Any], tuple[int, ...], bool, int]:
    """Return dtype, shape, whether in Fortran's order, and where the values begin."""
    if len(data) < MAGIC_BYTES or data[:6] != b"\x93NUMPY":
        raise ValueError("no .npy")
    if data[6] != 1:
        raise ValueError("a header too long to matter here")
    start = MAGIC_BYTES + int.from_bytes(data[8:10], "little")
    return *_parsed(data[:start]), start


@lru_cache(maxsize=4096)
def _parsed(head: bytes) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    stream = BytesIO(head[8:])
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)  # type: ignore[no-untyped-call]
    return dtype, shape, fortran
