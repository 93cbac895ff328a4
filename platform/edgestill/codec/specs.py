"""What a frame holds: names, dtypes and shapes, in a few bytes per array.

Per array: length of the prefix shared with the name before it (u8), length of the rest (u8), the
rest in UTF-8, dtype code and number of axes (a nibble each), and each axis as a varint. Parameter
names share long prefixes (``encoders.visual.0.weight``, ``encoders.visual.0.bias``), so that
front coding brings a model's array to about 12 bytes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from edgestill.codec.reader import Reader, varint
from edgestill.errors import FrameError

MAX_ARRAYS = 4096
MAX_NAME_BYTES = 255
MAX_AXES = 8

HEADS_KEPT = 32
LONGEST_HEAD_KEPT_BYTES = 1 << 16

FLOAT32 = "<f4"
DTYPES = (FLOAT32, "|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<i8", "<f2")
"""Dtypes that travel, by code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArraySpec:
    """One array: its name, its dtype (one of :data:`DTYPES`) and its shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def decoded_bytes(self) -> int:
        """Bytes of the array in memory; an axis of 0 counts as 1, so that no other can be wild."""
        return math.prod(max(axis, 1) for axis in self.shape) * np.dtype(self.dtype).itemsize


def encode_specs(specs: Sequence[ArraySpec]) -> bytes:
    """Return the bytes that :func:`decode_specs` reads back.

    Raises:
        ValueError: too many arrays or axes, a name too long, or a dtype that does not travel.
    """
    return _encoded(tuple(specs))


# All devices of a level send the same head.
@lru_cache(maxsize=HEADS_KEPT)
def _encoded(specs: tuple[ArraySpec, ...]) -> bytes:
    if len(specs) > MAX_ARRAYS:
        raise ValueError(f"{len(specs)} arrays exceed the cap of {MAX_ARRAYS}")
    coded = [varint(len(specs))]
    before = b""
    for spec in specs:
        name = spec.name.encode()
        _check(spec, name)
        shared = _shared_prefix(before, name)
        code = DTYPES.index(spec.dtype) << 4 | len(spec.shape)
        coded += [bytes((shared, len(name) - shared)), name[shared:], bytes((code,))]
        coded += [varint(axis) for axis in spec.shape]
        before = name
    return b"".join(coded)


def _shared_prefix(a: bytes, b: bytes) -> int:
    pairs = zip(a, b, strict=False)
    return next((at for at, (x, y) in enumerate(pairs) if x != y), min(len(a), len(b)))


def _check(spec: ArraySpec, name: bytes) -> None:
    if len(name) > MAX_NAME_BYTES:
        raise ValueError(f"{spec.name}: a name may have {MAX_NAME_BYTES} bytes, not {len(name)}")
    if spec.dtype not in DTYPES:
        raise ValueError(f"{spec.name}: dtype {spec.dtype} does not travel; {', '.join(DTYPES)} do")
    if len(spec.shape) > MAX_AXES:
        raise ValueError(f"{spec.name}: {len(spec.shape)} axes exceed the cap of {MAX_AXES}")


def decode_specs(head: bytes | memoryview, *, max_bytes: int) -> list[ArraySpec]:
    """Return what the head describes, whose arrays have ``max_bytes`` together at most.

    Raises:
        FrameError: malformed, names that repeat, or more arrays or bytes than allowed.
    """
    # A longer head is no model's, and is not worth the memory.
    read = _decoded if len(head) <= LONGEST_HEAD_KEPT_BYTES else _decoded.__wrapped__
    return list(read(bytes(head), max_bytes))


@lru_cache(maxsize=HEADS_KEPT)
def _decoded(head: bytes, max_bytes: int) -> tuple[ArraySpec, ...]:
    reader = Reader(head)
    count = reader.varint()
    if count > MAX_ARRAYS:
        raise FrameError(f"frame declares {count} arrays; the cap is {MAX_ARRAYS}")
    specs: list[ArraySpec] = []
    name = b""
    for _ in range(count):
        name = _read_name(reader, name)
        specs.append(_read_spec(reader, name))
    reader.finish()
    if len({spec.name for spec in specs}) != len(specs):
        raise FrameError("frame names an array twice")
    total = sum(spec.decoded_bytes for spec in specs)
    if total > max_bytes:
        raise FrameError(f"frame describes {total} bytes of arrays; the cap is {max_bytes}")
    return tuple(specs)


def _read_name(reader: Reader, before: bytes) -> bytes:
    shared, rest = reader.byte(), reader.byte()
    if shared > len(before) or shared + rest > MAX_NAME_BYTES:
        raise FrameError("a name in the frame is malformed")
    return before[:shared] + bytes(reader.take(rest))


def _read_spec(reader: Reader, name: bytes) -> ArraySpec:
    code, axes = divmod(reader.byte(), 16)
    if code >= len(DTYPES) or axes > MAX_AXES:
        raise FrameError(f"frame declares dtype code {code} with {axes} axes")
    try:
        text = name.decode()
    except UnicodeDecodeError as error:
        raise FrameError("a name in the frame is not UTF-8") from error
    shape = tuple(reader.varint() for _ in range(axes))
    return ArraySpec(name=text, dtype=DTYPES[code], shape=shape)
