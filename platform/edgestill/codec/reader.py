"""Reading bytes that nobody has vouched for."""

from edgestill.errors import FrameError

_VARINT_BYTES = 5


class Reader:
    """A cursor over bytes; every read past the end is a :class:`FrameError`."""

    def __init__(self, data: bytes | memoryview) -> None:
        """Begin at the first byte."""
        self._data = memoryview(data)
        self._at = 0

    @property
    def remaining(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self._at

    def take(self, count: int) -> memoryview:
        """Return the next ``count`` bytes."""
        if count > self.remaining:
            raise FrameError(f"frame is cut short: {count} bytes wanted, {self.remaining} left")
        self._at += count
        return self._data[self._at - count : self._at]

    def byte(self) -> int:
        """Return the next byte as an unsigned integer."""
        return self.take(1)[0]

    def varint(self) -> int:
        """Return the next LEB128 integer, of at most 35 bits."""
        value = 0
        for place in range(_VARINT_BYTES):
            byte = self.byte()
            value |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                return value
        raise FrameError(f"an integer of the frame is longer than {_VARINT_BYTES} bytes")

    def finish(self) -> None:
        """Check that nothing is left over."""
        if self.remaining:
            raise FrameError(f"frame has {self.remaining} bytes more than it describes")


def varint(value: int) -> bytes:
    """Return ``value`` (0 to 2**35 - 1) as LEB128, least significant seven bits first."""
    if not 0 <= value < 1 << 7 * _VARINT_BYTES:
        raise ValueError(f"{value} does not fit a {_VARINT_BYTES}-byte integer")
    coded = bytearray()
    while value >= 0x80:
        coded.append(value & 0x7F | 0x80)
        value >>= 7
    coded.append(value)
    return bytes(coded)
