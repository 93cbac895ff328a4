"""Tokens as int8 with a step each: the form that nothing exceeds.

Letters: N tokens, D features.
"""

# Names end in shape letters.
# ruff: noqa: N803, N806

import numpy as np
from numpy.typing import NDArray

from edgestill.codec.quantize import LARGEST_STEP
from edgestill.errors import FrameError

STEP_BYTES = 4


def bounded_width(count: int, dimension: int) -> int:
    """Return the bytes of :func:`bounded_bytes`."""
    return count * (dimension + STEP_BYTES)


def bounded_bytes(tokens_ND: NDArray[np.float32]) -> bytes:
    """Return a float32 step per token (its largest magnitude / 127), then the int8 symbols."""
    peaks_N = np.abs(tokens_ND).max(axis=1)
    steps_N = np.minimum(peaks_N / np.float32(127), np.float32(LARGEST_STEP))
    scaled_ND = tokens_ND / np.where(steps_N > 0, steps_N, np.float32(1))[:, None]
    symbols_ND = np.clip(np.rint(scaled_ND), -127, 127).astype(np.int8)
    return b"".join((steps_N.astype("<f4").tobytes(), symbols_ND.tobytes()))


def bounded_tokens(payload: bytes | memoryview, count: int, dimension: int) -> NDArray[np.float32]:
    """Return the tokens ND.

    Raises:
        FrameError: not the bytes of so many tokens.
    """
    expected = bounded_width(count, dimension)
    if len(payload) != expected:
        raise FrameError(f"frame has {len(payload)} bytes of tokens; expected {expected}")
    steps_N = np.frombuffer(payload, "<f4", count).astype(np.float32)
    if not ((steps_N >= 0) & (steps_N <= LARGEST_STEP)).all():
        raise FrameError("frame: a quantisation step is out of range")
    symbols = np.frombuffer(payload, np.int8, offset=count * STEP_BYTES)
    return symbols.reshape(count, dimension).astype(np.float32) * steps_N[:, None]
