"""A digit of 8 x 8 pixels at any size, place and angle, smoothly, in integers."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np
from numpy.typing import NDArray

from edgestill.data.composites.draws import Draws

GRID = 8
CENTRE_STEPS = 16
"""Of a pixel: what a pose's centre is given in."""
LEAST_INK = 96
"""Of 255, in the weaker channels of a colour of ink."""

_PHASES = 64
_MAP_BITS = 12
"""Pixels of the source for each pixel of the canvas have as many bits behind the point."""
_BORDER = 3
_SOFT_EDGE = 64
"""Of 255: ink below is none, ink 128 above is full, so that strokes are full and edges are soft."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """How a digit lies: centre in 16ths of a pixel, side of its 8 x 8 grid, angle, colour of ink.

    ``ink`` is what is subtracted from red, green and blue where the digit is full.
    """

    row: int
    column: int
    side_pixels: int
    angle_degrees: int
    ink: tuple[int, int, int]


def draw_pose(canvas: int, sides_pixels: tuple[int, int], most_degrees: int, draws: Draws) -> Pose:
    """Return a pose whose grid lies about within a square canvas; it takes eight words."""
    side = draws.integer(*sides_pixels)
    free = (canvas - side) * CENTRE_STEPS // 2
    middle = canvas * CENTRE_STEPS // 2
    return Pose(
        row=middle + draws.integer(-free, free),
        column=middle + draws.integer(-free, free),
        side_pixels=side,
        angle_degrees=draws.integer(-most_degrees, most_degrees),
        ink=draw_ink(draws),
    )


def draw_ink(draws: Draws) -> tuple[int, int, int]:
    """Return three channels, the strongest of them at full strength; it takes four words."""
    channels = [draws.integer(LEAST_INK, 255) for _ in range(3)]
    channels[draws.integer(0, 2)] = 255
    return (channels[0], channels[1], channels[2])


def coverage(
    images: NDArray[np.uint8], poses: Sequence[Pose], canvas: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return how much each pixel is inked, uint8 [n, height, width] in 0..255.

    Interpolated by Catmull and Rom's cubic, whose weights are exact in integers.

    Args:
        images: uint8 [n, 8, 8] in 0..16.
        poses: one for each image.
        canvas: height and width.
    """
    rows, columns = _source(poses, canvas)
    padded = np.pad(images.astype(np.int64), ((0, 0), (_BORDER, _BORDER), (_BORDER, _BORDER)))
    width = GRID + 2 * _BORDER
    sample = np.arange(len(images))[:, None, None]
    first = (sample * width + _index(rows)) * width + _index(columns)
    down, across = (_WEIGHTS[:, position >> 10 & _PHASES - 1] for position in (rows, columns))
    total = np.zeros(rows.shape, np.int64)
    for i in range(4):
        line = np.zeros(rows.shape, np.int64)
        for j in range(4):
            line += padded.take(first + (i * width + j)) * across[j]
        total += line * down[i]
    # Full ink is 16, and the weights sum to 2**19 along each axis.
    inked = total * 255 >> 42
    return np.clip(2 * (inked - _SOFT_EDGE), 0, 255).astype(np.uint8)


def _source(
    poses: Sequence[Pose], canvas: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return row and column in the source of each pixel, int64 [n, H, W], in 2**-16 pixels."""
    turned = np.array([_inverse(pose) for pose in poses], np.int64).reshape(-1, 2, 1, 1)
    centres = np.array([(p.row, p.column) for p in poses], np.int64).reshape(-1, 2, 1, 1)
    down = (CENTRE_STEPS * np.arange(canvas[0]) + CENTRE_STEPS // 2)[:, None] - centres[:, 0]
    right = (CENTRE_STEPS * np.arange(canvas[1]) + CENTRE_STEPS // 2)[None] - centres[:, 1]
    cosine, sine = turned[:, 0], turned[:, 1]
    # The centre of the grid is half a pixel from the centre of its pixel 3.
    middle = (GRID << 15) - (1 << 15)
    return cosine * down - sine * right + middle, sine * down + cosine * right + middle


def _inverse(pose: Pose) -> tuple[int, int]:
    """Return cosine and sine by pixels of the source for each pixel of the canvas."""
    angle, scale = radians(pose.angle_degrees), (GRID << _MAP_BITS) / pose.side_pixels
    return round(cos(angle) * scale), round(sin(angle) * scale)


def _index(position: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first of the four pixels that count; what is far outside is in the border."""
    return np.clip((position >> 16) - 1 + _BORDER, 0, GRID + 2 * _BORDER - 4)


def _cubic() -> NDArray[np.int64]:
    """Return the weights of four neighbours at each phase, int64 [4, 64], of sum 2**19."""
    t, one = np.arange(_PHASES, dtype=np.int64), _PHASES
    return np.stack(
        [
            -(t**3) + 2 * one * t**2 - one**2 * t,
            3 * t**3 - 5 * one * t**2 + 2 * one**3,
            -3 * t**3 + 4 * one * t**2 + one**2 * t,
            t**3 - one * t**2,
        ]
    )


_WEIGHTS = _cubic()
