"""Random numbers that are the same with every version of every library."""

import hashlib

_WORD_BYTES = 4


class Draws:
    """A stream of integers from SHAKE-128 of a text.

    NumPy may change how its generators draw from one version to the next; a hash does not change.
    """

    def __init__(self, text: str, *, words: int) -> None:
        """Start the stream of a text; ``words`` is how many integers can be drawn from it."""
        self._bytes = hashlib.shake_128(text.encode()).digest(words * _WORD_BYTES)
        self._next = 0

    def integer(self, low: int, high: int) -> int:
        """Return an integer of low..high, both included.

        Raises:
            IndexError: all of the stream's words have been drawn.
        """
        if self._next == len(self._bytes):
            raise IndexError(f"only {self._next // _WORD_BYTES} words; expected more when made")
        word = int.from_bytes(self._bytes[self._next : self._next + _WORD_BYTES], "little")
        self._next += _WORD_BYTES
        return low + (word * (high - low + 1) >> 8 * _WORD_BYTES)

    def permutation(self, count: int) -> list[int]:
        """Return 0..count-1 in random order; it takes ``count`` - 1 words (Fisher and Yates)."""
        order = list(range(count))
        for place in range(count - 1, 0, -1):
            other = self.integer(0, place)
            order[place], order[other] = order[other], order[place]
        return order
