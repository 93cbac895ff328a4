"""Requests that a service must survive: random, cut, damaged, of another model, too large."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle, islice

from edgestill.codec.frame import HEADER_BYTES, Frame, seal
from edgestill.jobs.benchmarks.serving.traffic import post

KINDS = (
    "random_bytes",
    "cut_short",
    "bits_flipped",
    "whole_but_wrong",
    "other_model",
    "other_version",
    "too_large",
)
"""``whole_but_wrong`` has a right checksum over a wrong head or payload."""

TOO_LARGE_EVERY = 100
"""Of the requests one in so many is too large: each is a megabyte."""

_CODECS = range(4)
_MOST_RANDOM_BYTES = 2048


def bad_requests(
    frames: Sequence[bytes], *, count: int, path: str, most_bytes: int, seed: int
) -> Iterator[tuple[str, bytes]]:
    """Yield so many requests, each with its kind of :data:`KINDS`.

    Args:
        frames: good ones, to be spoilt.
        count: how many.
        path: that they are for.
        most_bytes: that the service takes.
        seed: of what is drawn.
    """
    # Chaos, no secret.
    draws = random.Random(seed)  # noqa: S311
    large = post(path, bytes(most_bytes + 1))
    for number, kind in enumerate(islice(cycle(KINDS[:-1]), count)):
        if number % TOO_LARGE_EVERY == 0:
            yield KINDS[-1], large
        else:
            yield kind, post(path, _spoilt(kind, draws.choice(frames), draws))


def _spoilt(kind: str, frame: bytes, draws: random.Random) -> bytes:
    if kind == "random_bytes":
        return draws.randbytes(draws.randrange(_MOST_RANDOM_BYTES))
    if kind == "cut_short":
        return frame[: draws.randrange(len(frame))]
    if kind == "bits_flipped":
        return _flipped(frame, draws)
    if kind == "other_version":
        return frame[:4] + bytes((draws.randrange(2, 256),)) + frame[5:]
    fields = _fields(frame)
    if kind == "other_model":
        return seal(replace(fields, fingerprint=draws.getrandbits(32)))
    return seal(_wrong(fields, draws))


def _fields(frame: bytes) -> Frame:
    head_bytes = int.from_bytes(frame[12:16], "little")
    return Frame(
        codec=frame[5],
        bits=frame[6],
        flags=frame[7],
        fingerprint=int.from_bytes(frame[8:12], "little"),
        head=frame[HEADER_BYTES : HEADER_BYTES + head_bytes],
        payload=frame[HEADER_BYTES + head_bytes :],
    )


def _wrong(fields: Frame, draws: random.Random) -> Frame:
    """Return fields of which one is wrong, as only a hostile sender makes them."""
    which = draws.randrange(5)
    if which == 0:
        return replace(fields, codec=draws.choice([c for c in _CODECS if c != fields.codec]))
    if which == 1:
        return replace(fields, bits=fields.bits ^ draws.randrange(1, 256))
    if which == 2:
        return replace(fields, flags=fields.flags ^ draws.randrange(1, 256))
    if which == 3:
        return replace(fields, head=_flipped(bytes(fields.head) or b"\0", draws))
    return replace(fields, payload=_flipped(bytes(fields.payload) or b"\0", draws))


def _flipped(data: bytes, draws: random.Random) -> bytes:
    spoilt = bytearray(data)
    for place in draws.sample(range(8 * len(spoilt)), draws.randrange(1, 9)):
        spoilt[place // 8] ^= 1 << place % 8
    return bytes(spoilt)
