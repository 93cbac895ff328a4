"""Entropy coding of int8 symbols with a table that travels as integers.

The coder is asymmetric numeral systems (Duda et al., PCS 2015) from ``constriction``. Streams made
with probabilities that each side computes in floating point decode to garbage where the two round
differently. Here the histogram itself is sent, each count as an 8-bit minifloat (3 bits of
mantissa), and both sides build the model from those integers: their sums and products with powers
of two are exact in float64, the one division is correctly rounded by IEEE 754, so that the model
is the same everywhere. Rounding counts to 3 bits costs about 0.001 bit per symbol.

A stream is: lowest symbol + 128 (u8), size of the table - 1 (u8), table (a byte per symbol of the
range), then the coder's 32-bit words, little-endian.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from edgestill.codec.reader import Reader
from edgestill.errors import FrameError


def _minifloats() -> NDArray[np.int64]:
    """Return the count that each byte stands for: 0 to 15 exactly, then in steps of an eighth."""
    small = list(range(8))
    large = [(8 + mantissa) << exponent for exponent in range(31) for mantissa in range(8)]
    return np.array(small + large, dtype=np.int64)


_COUNTS = _minifloats()


def encode_symbols(symbols: NDArray[np.int8]) -> bytes:
    """Return the stream of at least one symbol, each in -127..127."""
    high = int(symbols.max())
    # The coder needs an alphabet of two at least.
    low = min(int(symbols.min()), high - 1)
    indices = symbols.astype(np.int32) - low
    counts = np.bincount(indices, minlength=high - low + 1)
    table = np.searchsorted(_COUNTS, counts).astype(np.uint8)
    coder = constriction.stream.stack.AnsCoder()
    coder.encode_reverse(indices, _model(table))
    words = np.asarray(coder.get_compressed()).astype("<u4")
    return bytes((low + 128, high - low)) + table.tobytes() + words.tobytes()


def decode_symbols(stream: Reader, counts: Sequence[int]) -> Iterator[NDArray[np.int8]]:
    """Yield the symbols in portions of the given counts; nothing larger is held at a time.

    Raises:
        FrameError: not a stream of exactly these symbols.
    """
    low = stream.byte() - 128
    size = stream.byte() + 1
    table = np.frombuffer(stream.take(size), np.uint8)
    if size < 2 or low + size > 128 or not table.any():
        raise FrameError(f"the frame's table of {size} symbols from {low} is not valid")
    coder = _coder(stream)
    shared = _model(table)
    for count in counts:
        yield (coder.decode(shared, count) + low).astype(np.int8)
    if not coder.is_empty():
        raise FrameError("the frame's coded symbols go on beyond their number")


def _model(table: NDArray[np.uint8]) -> Any:
    return constriction.stream.model.Categorical(_COUNTS[table].astype(np.float64), perfect=False)


def _coder(stream: Reader) -> Any:
    if stream.remaining % 4:
        raise FrameError(
            f"the frame's coded symbols have {stream.remaining} bytes, not whole words"
        )
    words = np.frombuffer(stream.take(stream.remaining), "<u4").astype(np.uint32)
    if len(words) and words[-1] == 0:
        raise FrameError("the frame's coded symbols end in an empty word")
    return constriction.stream.stack.AnsCoder(words)
