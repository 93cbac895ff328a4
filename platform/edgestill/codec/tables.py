"""Families of integer tables, and symbols coded with the table that each of them has.

A table gives the symbols low, low + 1, ... a count each, 65,536 in sum; its last count is that of
the escape: a symbol outside the table, which is coded as a 16-bit integer of its own. Symbols of
one table are coded together, in one call of ``constriction``, tables in ascending order, in blocks
of 65,536 symbols, which fit a processor's cache: no loop runs over symbols. The coder is asymmetric
numeral systems (Duda et al., PCS 2015), a stack: what is pushed last is popped first.
"""

from collections.abc import Sequence
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int32]

TOTAL = 1 << 16
LARGEST_SYMBOL = (1 << 15) - 1
"""Largest magnitude of a symbol, in a table or beside it."""

BLOCK = 1 << 16

ESCAPED_BITS = 16
"""What an escaped symbol takes besides its escape."""

_ESCAPED = constriction.stream.model.Uniform(1 << ESCAPED_BITS)


def integer_counts(masses: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return counts of at least 1 with sum 65,536, near the masses times that.

    Args:
        masses: of the table's symbols, 32,768 at most; what they lack to 1 goes to the escape,
            whose count comes last.
    """
    every = np.append(masses, max(0.0, 1.0 - float(masses.sum())))
    counts = np.maximum(1, np.rint(every * TOTAL)).astype(np.int64)
    # What rounding leaves over goes where it changes least.
    while (left := TOTAL - int(counts.sum())) != 0:
        at = int(counts.argmax())
        counts[at] += max(left, -(int(counts[at]) // 2))
    whole: Integers = counts.astype(np.int32)
    return whole


class TableFamily:
    """Tables of integer counts, the same on every machine.

    Attributes:
        lows: first symbol of each table.
        sizes: counts of each table, the escape's included.
        counts: of all tables, one after the other.
    """

    def __init__(self, lows: Integers, sizes: Integers, counts: Integers) -> None:
        """Take tables as they are.

        Raises:
            ValueError: they are no tables.
        """
        _check(lows, sizes, counts)
        self.lows, self.sizes, self.counts = lows, sizes, counts
        parts = np.split(counts.astype(np.float64), np.cumsum(sizes)[:-1])
        categorical = constriction.stream.model.Categorical
        # Sums and products with powers of two of such integers are exact in float64.
        self._models = [categorical(part, perfect=False) for part in parts]
        index = np.min_scalar_type(len(sizes) - 1)
        self._every = np.arange(len(sizes), dtype=index)

    @classmethod
    def of(cls, tables: Sequence[tuple[int, NDArray[np.int32]]]) -> "TableFamily":
        """Return the family of tables given as first symbol and counts."""
        lows = np.array([low for low, _ in tables], np.int32)
        sizes = np.array([len(counts) for _, counts in tables], np.int32)
        return cls(lows, sizes, np.concatenate([counts for _, counts in tables]))

    def __len__(self) -> int:
        """Return the number of tables."""
        return len(self.sizes)

    def push(self, coder: Any, symbols: Integers, tables: NDArray[Any]) -> None:
        """Push symbols, each within +-32,767, under the table of the same place."""
        for begin in reversed(range(0, len(symbols), BLOCK)):
            block = slice(begin, begin + BLOCK)
            self._push_block(coder, symbols[block], tables[block])

    def pop(self, coder: Any, tables: NDArray[Any]) -> Integers:
        """Pop the symbols that were pushed under these tables."""
        symbols = np.empty(len(tables), np.int32)
        for begin in range(0, len(symbols), BLOCK):
            block = slice(begin, begin + BLOCK)
            symbols[block] = self._popped_block(coder, tables[block])
        return symbols

    def bits(self, symbols: Integers, tables: NDArray[Any]) -> float:
        """Return what the symbols cost under these integer tables, in bits."""
        places = symbols - self.lows[tables]
        escapes = self.sizes[tables] - 1
        outside = (places < 0) | (places >= escapes)
        begins = np.cumsum(self.sizes) - self.sizes
        counts = self.counts[begins[tables] + np.where(outside, escapes, places)]
        return float(np.log2(TOTAL / counts).sum() + ESCAPED_BITS * np.count_nonzero(outside))

    def _push_block(self, coder: Any, symbols: Integers, tables: NDArray[Any]) -> None:
        order, present, counts = self._grouped(tables)
        grouped = symbols[order]
        places = grouped - np.repeat(self.lows[present], counts)
        escapes = np.repeat(self.sizes[present] - 1, counts)
        # As unsigned integers, negative places are too large as well.
        outside = places.view(np.uint32) >= escapes.view(np.uint32)
        if outside.any():
            beyond = (grouped[outside] + (LARGEST_SYMBOL + 1)).astype(np.int32)
            coder.encode_reverse(beyond, _ESCAPED)
            places[outside] = escapes[outside]
        end = len(places)
        for table, count in zip(present[::-1].tolist(), counts[::-1].tolist(), strict=True):
            coder.encode_reverse(places[end - count : end], self._models[table])
            end -= count

    def _popped_block(self, coder: Any, tables: NDArray[Any]) -> Integers:
        order, present, counts = self._grouped(tables)
        parts = [
            coder.decode(self._models[table], count)
            for table, count in zip(present.tolist(), counts.tolist(), strict=True)
        ]
        places = np.concatenate(parts)
        outside = places == np.repeat(self.sizes[present] - 1, counts)
        places += np.repeat(self.lows[present], counts)
        escaped = int(np.count_nonzero(outside))
        if escaped:
            places[outside] = coder.decode(_ESCAPED, escaped) - (LARGEST_SYMBOL + 1)
        symbols = np.empty(len(tables), np.int32)
        symbols[order] = places
        return symbols

    def _grouped(self, tables: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Return the order by table, the tables that occur, and how often each does."""
        # Integers of 16 bits and less are sorted by radix.
        tables = tables.astype(self._every.dtype, copy=False)
        order = np.argsort(tables, kind="stable")
        ends = np.searchsorted(tables, self._every, side="right", sorter=order)
        counts = np.diff(ends, prepend=0)
        present = np.flatnonzero(counts)
        return order, present, counts[present]


def _check(lows: Integers, sizes: Integers, counts: Integers) -> None:
    shapes_fit = lows.ndim == sizes.ndim == counts.ndim == 1 and len(lows) == len(sizes) > 0
    if not shapes_fit or any(array.dtype != np.int32 for array in (lows, sizes, counts)):
        raise ValueError("tables need int32 lows and sizes, one each, and int32 counts")
    if sizes.min() < 2 or int(sizes.sum(dtype=np.int64)) != len(counts):
        raise ValueError(f"tables have {len(counts)} counts; their sizes do not fit that")
    highs = lows.astype(np.int64) + sizes - 2
    if lows.min() < -LARGEST_SYMBOL or highs.max() > LARGEST_SYMBOL:
        raise ValueError(f"a table has symbols beyond +-{LARGEST_SYMBOL}")
    begins = np.cumsum(sizes) - sizes
    sums = np.add.reduceat(counts, begins, dtype=np.int64)
    if counts.min() < 1 or (sums != TOTAL).any():
        raise ValueError(f"a table's counts are not positive with sum {TOTAL}")
