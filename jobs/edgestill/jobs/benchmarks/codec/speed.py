"""Symbols per second: our coder and CompressAI's, on the same latents.

CompressAI's ``compress`` makes a string for each image of a batch, and hands all its tables over
for each string. It is timed as it comes, with the tables of its own ``update``, which go on to a
tail of 1e-9; with our tables, which are half as wide; and with these and the whole request as one
string, the best that it can do. Two claims stand on it: as it comes, and with equal tables.

Times are the processor's, of one thread: what else the machine does is not in them.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgestill.codec.frozen.stream import Stream, read, written
from edgestill.codec.learned.freeze import laplacian_tables
from edgestill.codec.learned.priors import LaplacianConditional
from edgestill.codec.tables import Integers, TableFamily
from edgestill.errors import RunError
from edgestill.jobs.benchmarks.codec.work import FEATURES, TOKENS

OURS = "ours"
AS_IT_COMES = "CompressAI, its tables"
SAME_TABLES = "CompressAI, our tables"
SIDES = (OURS, SAME_TABLES, AS_IT_COMES, "CompressAI, our tables, one string")


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """One side's least processor times for one size of request."""

    side: str
    images: int
    symbols: int
    encode_s: float
    decode_s: float

    @property
    def both_s(self) -> float:
        """Encoding and decoding."""
        return self.encode_s + self.decode_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Latents of a request: symbols and the table of each, image by image."""

    images: int
    symbols: Integers
    tables: NDArray[Any]


def speeds(request: Request, repeats: int) -> list[Speed]:
    """Return each side's least times, the sides by turns.

    Raises:
        RunError: a side does not decode what it encoded.
    """
    family = laplacian_tables()
    alike, as_it_comes = as_compressai(family), LaplacianConditional()
    as_it_comes.update()
    made = (
        _ours(family, request),
        _theirs(alike, request, strings=request.images),
        _theirs(as_it_comes, request, strings=request.images),
        _theirs(alike, request, strings=1),
    )
    coders = dict(zip(SIDES, made, strict=True))
    taken: dict[str, list[tuple[float, float]]] = {side: [] for side in SIDES}
    for _ in range(repeats):
        for side, (encode, decode) in coders.items():
            taken[side].append(_timed(side, encode, decode, request.symbols))
    return [
        Speed(
            side=side,
            images=request.images,
            symbols=request.symbols.size,
            encode_s=min(encode_s for encode_s, _ in times),
            decode_s=min(decode_s for _, decode_s in times),
        )
        for side, times in taken.items()
    ]


def as_compressai(family: TableFamily) -> LaplacianConditional:
    """Return CompressAI's conditional model with the same integer tables."""
    model = LaplacianConditional()
    cumulative = torch.zeros(len(family), int(family.sizes.max()) + 1, dtype=torch.int32)
    for row, part in enumerate(np.split(family.counts, np.cumsum(family.sizes)[:-1])):
        cumulative[row, 1 : len(part) + 1] = torch.from_numpy(np.cumsum(part))
    model._quantized_cdf = cumulative
    model._offset = torch.from_numpy(family.lows.copy())
    model._cdf_length = torch.from_numpy(family.sizes + 1)
    return model


def speed_of(found: Sequence[Speed], side: str, images: int) -> Speed:
    """Return one side's times at one size."""
    return next(one for one in found if (one.side, one.images) == (side, images))


Coder = tuple[Callable[[], Any], Callable[[Any], NDArray[Any]]]


def _ours(family: TableFamily, request: Request) -> Coder:
    stream = Stream(family)

    def encode() -> bytes:
        return written(stream.begun(request.symbols, request.tables))

    def decode(payload: bytes) -> NDArray[Any]:
        return stream.ended(read(payload), request.tables)

    return encode, decode


def _theirs(model: LaplacianConditional, request: Request, *, strings: int) -> Coder:
    shape = (strings, request.symbols.size // (strings * FEATURES), FEATURES)
    latents = torch.from_numpy(request.symbols.astype(np.float32)).reshape(shape)
    indexes = torch.from_numpy(request.tables.astype(np.int32)).reshape(shape)

    def encode() -> list[bytes]:
        coded: list[bytes] = model.compress(latents, indexes)
        return coded

    def decode(coded: list[bytes]) -> NDArray[Any]:
        return np.asarray(model.decompress(coded, indexes).numpy()).ravel()

    return encode, decode


def _timed(
    side: str,
    encode: Callable[[], Any],
    decode: Callable[[Any], NDArray[Any]],
    symbols: Integers,
) -> tuple[float, float]:
    began_s = time.process_time()
    coded = encode()
    between_s = time.process_time()
    decoded = decode(coded)
    ended_s = time.process_time()
    if not np.array_equal(decoded, symbols):
        raise RunError(f"{side}: {TOKENS} tokens per image do not come back as they were")
    return between_s - began_s, ended_s - between_s
