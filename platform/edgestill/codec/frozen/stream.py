"""The coder's bytes: words of 32 bits, little-endian, without the zero bytes at their end.

Below all other symbols lies the integer that the first ones make (``frozen.start``).
"""

from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from edgestill.codec.frozen.start import FIRST, MOST_BITS, Start
from edgestill.codec.tables import Integers, TableFamily
from edgestill.errors import FrameError

_WORD_BITS = 32
_MOST_WORDS = MOST_BITS // _WORD_BITS + 1


class Stream:
    """Symbols of one family of tables at the bottom of a coder."""

    def __init__(self, family: TableFamily) -> None:
        self._family, self._start = family, Start(family)

    def begun(self, symbols: Integers, tables: NDArray[Any]) -> Any:
        """Return a coder with these symbols, each within +-32,767, to push more to."""
        state = self._start.state(symbols[:FIRST], tables[:FIRST])
        words = -(-state.bit_length() // _WORD_BITS)
        coder = _coder(state.to_bytes(4 * words, "little"))
        self._family.push(coder, symbols[FIRST:], tables[FIRST:])
        return coder

    def ended(self, coder: Any, tables: NDArray[Any]) -> Integers:
        """Pop the symbols of these tables, which must be all that the coder still holds.

        Raises:
            FrameError: it holds something else.
        """
        later = self._family.pop(coder, tables[FIRST:])
        words: NDArray[np.uint32] = np.asarray(coder.get_compressed())
        if not 0 < len(words) <= _MOST_WORDS:
            raise FrameError("the frame's coded symbols do not end where they should")
        state = int.from_bytes(words.astype("<u4").tobytes(), "little")
        return np.concatenate((self._start.symbols(state, tables[:FIRST]), later))


def written(coder: Any) -> bytes:
    """Return the bytes of all that was pushed."""
    words: NDArray[np.uint32] = np.asarray(coder.get_compressed()).astype("<u4")
    return words.tobytes().rstrip(b"\0")


def read(payload: bytes) -> Any:
    """Return a coder to pop from.

    Raises:
        FrameError: not what :func:`written` gives.
    """
    if not payload or not payload[-1]:
        raise FrameError("the frame's coded symbols are empty or end in a zero byte")
    return _coder(payload + bytes(-len(payload) % 4))


def _coder(words: bytes) -> Any:
    return constriction.stream.stack.AnsCoder(np.frombuffer(words, "<u4").astype(np.uint32))
