"""Uniform symmetric quantisation, and small integers packed into bytes."""

import numpy as np
from numpy.typing import NDArray

LARGEST_STEP = np.finfo(np.float32).max / 128
"""Largest step whose every multiple is still a finite float32; larger values saturate."""


def largest_symbol(bits: int) -> int:
    """Return the largest symbol of a signed grid: 7 for 4 bits, 127 for 8."""
    return (1 << (bits - 1)) - 1


def quantize(
    values: NDArray[np.float32], bits: int, rng: np.random.Generator | None = None
) -> tuple[NDArray[np.int8], np.float32]:
    """Return integer symbols of the shape of ``values``, and the step they are multiples of.

    The step is max|v| / (2**(bits-1) - 1). With ``rng`` values are rounded up or down at random in
    proportion to their distance, which keeps the mean over devices unbiased (QSGD, Alistarh et
    al., NeurIPS 2017, section 3.1, with the maximum norm of its section 5); that is why the scale
    is the maximum and not a percentile, whose clipping would bias every average. Without ``rng``
    values are rounded to the nearest multiple, off by at most half a step.

    Args:
        values: finite float32.
        bits: 4 or 8.
        rng: source of the rounding noise.
    """
    limit = largest_symbol(bits)
    peak = np.float32(np.max(np.abs(values), initial=0.0))
    step = min(np.float32(peak / np.float32(limit)), np.float32(LARGEST_STEP))
    if step == 0.0:
        return np.zeros(values.shape, np.int8), np.float32(0.0)
    scaled = values / step
    if rng is None:
        rounded = np.rint(scaled)
    else:
        rounded = np.floor(scaled + rng.random(values.shape, dtype=np.float32))
    return np.clip(rounded, -limit, limit).astype(np.int8), step


def dequantize(symbols: NDArray[np.int8], step: float | np.float32) -> NDArray[np.float32]:
    """Return ``symbols`` times ``step`` in float32."""
    return symbols.astype(np.float32) * np.float32(step)


def is_step(step: float | np.float32) -> bool:
    """Tell whether :func:`quantize` could have returned this step."""
    return bool(0.0 <= step <= LARGEST_STEP)


def packed_width(count: int, bits: int) -> int:
    """Return the bytes that ``count`` symbols of 4 or 8 bits take."""
    return -(-count * bits // 8)


def pack_symbols(symbols: NDArray[np.int8], bits: int) -> NDArray[np.uint8]:
    """Pack the last axis: a byte per symbol at 8 bits, two symbols per byte (low first) at 4.

    Returns:
        uint8 [..., packed_width(n, bits)] for symbols [..., n].
    """
    if bits == 8:
        return symbols.view(np.uint8)
    nibbles = symbols.view(np.uint8) & 0x0F
    if nibbles.shape[-1] % 2:
        nibbles = np.concatenate([nibbles, np.zeros_like(nibbles[..., :1])], axis=-1)
    return np.bitwise_or(nibbles[..., ::2], nibbles[..., 1::2] << 4, dtype=np.uint8)


def unpack_symbols(packed: NDArray[np.uint8], count: int, bits: int) -> NDArray[np.int8]:
    """Undo :func:`pack_symbols`: uint8 [..., packed_width(count, bits)] to int8 [..., count]."""
    if bits == 8:
        return packed.view(np.int8)
    nibbles = np.stack([packed & 0x0F, packed >> 4], axis=-1).reshape(*packed.shape[:-1], -1)
    # Sign extension of four bits in two's complement.
    symbols = np.subtract((nibbles ^ 0x08).astype(np.int8), 8, dtype=np.int8)
    return np.asarray(symbols[..., :count])
