"""The coder's bytes: words of 32 bits, little-endian, without the zero bytes at their end.

Below all symbols lies a word of 1 << 24 plus a checksum of 24 bits over the decoded latents:
whatever made the two ends differ, no wrong tensor is given. That word costs a byte at most, since a
coder that begins empty wastes as much on its first symbol.

Letters: N tokens, L latent channels.
"""

# Names end in shape letters.
# ruff: noqa: N803

import zlib
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from edgestill.codec.frozen.latents import Floats
from edgestill.errors import FrameError

_CHECKSUM_BITS = 24


def begun(latents_NL: Floats) -> Any:
    """Return a coder that holds the checksum of these latents."""
    return constriction.stream.stack.AnsCoder(_checksum(latents_NL))


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


def finish(coder: Any, latents_NL: Floats) -> None:
    """Check that what is left in the coder is the checksum of what was popped.

    Raises:
        FrameError: it is not; the latents are not to be used.
    """
    if not np.array_equal(np.asarray(coder.get_compressed()), _checksum(latents_NL)):
        raise FrameError(f"frame of {len(latents_NL)} tokens does not decode: its checksum differs")


def _checksum(latents_NL: Floats) -> NDArray[np.uint32]:
    checksum = zlib.crc32(latents_NL.astype("<i4").tobytes()) & ((1 << _CHECKSUM_BITS) - 1)
    return np.array([1 << _CHECKSUM_BITS | checksum], np.uint32)
