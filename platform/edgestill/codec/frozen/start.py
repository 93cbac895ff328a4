"""The first symbols of a request, as the state from which the coder starts.

A coder that starts empty spends 24 bits on its first symbol, whatever that is worth, and rounds
coarsely until its state has grown: two bytes in all. So the first symbols are coded by themselves,
as one integer: their tables divide the unit interval in exact arithmetic (Rissanen, IBM Journal of
Research and Development, 1976), and the shortest binary fraction in what is left of it is the
state, below a leading 1. That loses less than a bit, and leaves the coder with a state well filled.
"""

from array import array
from bisect import bisect_right

import numpy as np

from edgestill.codec.frozen.parameters import Array
from edgestill.codec.tables import ESCAPED_BITS, LARGEST_SYMBOL, TOTAL, Integers, TableFamily
from edgestill.errors import FrameError

FIRST = 32
"""So many symbols make the state, or all of a shorter request."""

TABLE_BITS = TOTAL.bit_length() - 1
MOST_BITS = FIRST * (TABLE_BITS + ESCAPED_BITS)


class Start:
    """The integer that stands for some symbols under the tables of a family, and back."""

    def __init__(self, family: TableFamily) -> None:
        self._family = family
        self._begins = np.cumsum(family.sizes) - family.sizes
        # The counts' running sum over all tables: table t begins at t * 65,536.
        self._ends = np.cumsum(family.counts, dtype=np.int64)
        self._searched = array("q", self._ends.tobytes())

    def state(self, symbols: Integers, tables: Array) -> int:
        """Return the state of symbols within +-32,768: at least 1, at most ``MOST_BITS`` + 1 bits.

        Args:
            symbols: at most ``FIRST``.
            tables: of each.
        """
        low, width, bits = 0, 1, 0
        for below, count, of_bits in self._shares(symbols, tables):
            low, width, bits = (low << of_bits) + below * width, width * count, bits + of_bits
        if not low:
            return 1
        # From low to low + width - 1, the number with the most zeros at its end.
        last = low + width - 1
        zeros = (last ^ (low - 1)).bit_length() - 1
        return 1 << (bits - zeros) | last >> zeros

    def symbols(self, state: int, tables: Array) -> Integers:
        """Return the symbols of a state.

        Raises:
            FrameError: :meth:`state` makes no such state of symbols with these tables.
        """
        bits = state.bit_length() - 1
        rest, width = state - (1 << bits), 1 << bits
        found = []
        for table in tables.tolist():
            symbol, rest, width = self._next(table, rest, width)
            found.append(symbol)
        symbols = np.array(found, np.int32)
        if self.state(symbols, tables) != state:
            raise FrameError("the frame's coded symbols do not end where they should")
        return symbols

    def _next(self, table: int, rest: int, width: int) -> tuple[int, int, int]:
        """Return a symbol, how far into its interval the fraction lies, and that one's width."""
        rest <<= TABLE_BITS
        begin, size = int(self._begins[table]), int(self._family.sizes[table])
        at = bisect_right(self._searched, table * TOTAL + rest // width, begin, begin + size - 1)
        below = self._searched[at - 1] - table * TOTAL if at > begin else 0
        rest -= below * width
        width *= self._searched[at] - table * TOTAL - below
        if at - begin < size - 1:
            return at - begin + int(self._family.lows[table]), rest, width
        beyond, rest = divmod(rest << ESCAPED_BITS, width)
        return beyond - (LARGEST_SYMBOL + 1), rest, width

    def _shares(self, symbols: Integers, tables: Array) -> list[tuple[int, int, int]]:
        """Return what lies below each symbol, its count, and the bits of the sum of counts."""
        places = symbols - self._family.lows[tables]
        escapes = self._family.sizes[tables] - 1
        outside = (places < 0) | (places >= escapes)
        at = self._begins[tables] + np.where(outside, escapes, places)
        counts = self._family.counts[at]
        belows = self._ends[at] - counts - tables.astype(np.int64) * TOTAL
        shares = []
        columns = (symbols, outside, belows, counts)
        for symbol, escaped, below, count in zip(*(c.tolist() for c in columns), strict=True):
            shares.append((below, count, TABLE_BITS))
            if escaped:
                shares.append((symbol + LARGEST_SYMBOL + 1, 1, ESCAPED_BITS))
        return shares
