"""The coder's bytes: words of 32 bits, little-endian, without the zero bytes at their end.

Below all symbols lies a 1, since a coder that begins empty wastes a byte on its first symbol.
"""

from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from edgestill.errors import FrameError

_BOTTOM = 1


def begun() -> Any:
    """Return a coder to push to."""
    return constriction.stream.stack.AnsCoder(np.array([_BOTTOM], np.uint32))


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
    words = np.frombuffer(payload + bytes(-len(payload) % 4), "<u4").astype(np.uint32)
    return constriction.stream.stack.AnsCoder(words)


def finish(coder: Any) -> None:
    """Check that all that was pushed has been popped.

    Raises:
        FrameError: it has not, or was something else.
    """
    if np.asarray(coder.get_compressed()).tolist() != [_BOTTOM]:
        raise FrameError("the frame's coded symbols do not end where they should")
