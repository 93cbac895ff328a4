"""The envelope of everything that crosses a link: 24 bytes that say what follows, and a checksum.

Little-endian throughout::

    offset  size  field
    0       4     magic, b"ESTL"
    4       1     version, 1
    5       1     codec, what head and payload are
    6       1     bits per coded float; of tokens, their number
    7       1     flags of the codec
    8       4     fingerprint of what both ends must share
    12      4     length of the head, which describes the payload
    16      4     length of the payload
    20      4     CRC-32 of bytes 0 to 19, head, payload, and what the codec covers besides
    24            head, payload
"""

import struct
import zlib
from dataclasses import dataclass

from edgestill.errors import FrameError

MAGIC = b"ESTL"
VERSION = 1
MAX_FRAME_BYTES = 1 << 26
"""Largest frame, and largest content of a frame once decoded, that is accepted unasked."""

_FIELDS = struct.Struct("<4sBBBBIII")
_CHECKSUM = struct.Struct("<I")
HEADER_BYTES = _FIELDS.size + _CHECKSUM.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame's fields: ``head`` describes ``payload`` in the terms of ``codec``."""

    codec: int
    bits: int
    flags: int
    fingerprint: int
    head: bytes | memoryview
    payload: bytes | memoryview


def seal(frame: Frame, *, covered: bytes = b"") -> bytes:
    """Return the frame's bytes.

    Args:
        frame: its fields.
        covered: further bytes under the checksum that do not travel: what the payload decodes to,
            where two ends might decode differently.

    Raises:
        ValueError: the frame would exceed :data:`MAX_FRAME_BYTES`, or a field is out of range.
    """
    length = HEADER_BYTES + len(frame.head) + len(frame.payload)
    if length > MAX_FRAME_BYTES:
        raise ValueError(f"frame of {length} bytes exceeds the cap of {MAX_FRAME_BYTES}")
    if not 0 <= frame.fingerprint < 1 << 32:
        raise ValueError(f"fingerprint {frame.fingerprint} is not an unsigned 32-bit integer")
    fields = _FIELDS.pack(
        MAGIC,
        VERSION,
        frame.codec,
        frame.bits,
        frame.flags,
        frame.fingerprint,
        len(frame.head),
        len(frame.payload),
    )
    checksum = _CHECKSUM.pack(_crc(fields, frame.head, frame.payload, covered))
    return b"".join((fields, checksum, frame.head, frame.payload))


def unseal(
    data: bytes, *, codec: int, fingerprint: int, max_bytes: int, covered: bool = False
) -> Frame:
    """Check the envelope and return its fields; head and payload are views, nothing is copied.

    Args:
        data: bytes from anywhere.
        codec: that the frame must be of.
        fingerprint: that it must carry.
        max_bytes: cap on the frame.
        covered: whether the checksum covers what the payload decodes to; it is not looked at then,
            and :func:`check_covered` must be called with that.

    Raises:
        FrameError: too long, cut short, damaged, of another codec or version, or made for a model
            of another fingerprint.
    """
    if not HEADER_BYTES <= len(data) <= max_bytes:
        raise FrameError(f"frame has {len(data)} bytes; expected {HEADER_BYTES} to {max_bytes}")
    magic, version, found, bits, flags, owner, head_bytes, payload_bytes = _FIELDS.unpack_from(data)
    if (magic, version, found) != (MAGIC, VERSION, codec):
        raise FrameError(
            f"frame begins with {magic!r}, version {version}, codec {found}; "
            f"expected {MAGIC!r}, {VERSION}, {codec}"
        )
    if HEADER_BYTES + head_bytes + payload_bytes != len(data):
        raise FrameError(f"frame of {len(data)} bytes declares {head_bytes} + {payload_bytes}")
    view = memoryview(data)
    head, payload = view[HEADER_BYTES:][:head_bytes], view[HEADER_BYTES + head_bytes :]
    if not covered:
        check_covered(data, b"")
    if owner != fingerprint:
        raise FrameError(f"frame has fingerprint {owner:08x}; expected {fingerprint:08x}")
    return Frame(codec=found, bits=bits, flags=flags, fingerprint=owner, head=head, payload=payload)


def check_covered(data: bytes, covered: bytes) -> None:
    """Check an unsealed frame against its checksum, together with what its payload decoded to.

    Raises:
        FrameError: the frame is damaged, or this end decodes it otherwise than its sender would.
    """
    (checksum,) = _CHECKSUM.unpack_from(data, _FIELDS.size)
    view = memoryview(data)
    if checksum != _crc(view[: _FIELDS.size], view[HEADER_BYTES:], covered):
        raise FrameError("frame is damaged: its CRC-32 does not match")


def fingerprint_of(data: bytes) -> int | None:
    """Return the fingerprint that a frame carries; None of what has not a frame's form.

    It tells a frame for another model from one that is broken, before any of it is decoded; where
    the frame is damaged the fingerprint may be.
    """
    if len(data) < HEADER_BYTES:
        return None
    magic, version, *_, owner, head_bytes, payload_bytes = _FIELDS.unpack_from(data)
    whole = HEADER_BYTES + head_bytes + payload_bytes == len(data)
    return int(owner) if whole and (magic, version) == (MAGIC, VERSION) else None


def _crc(*parts: bytes | memoryview) -> int:
    value = 0
    for part in parts:
        value = zlib.crc32(part, value)
    return value
