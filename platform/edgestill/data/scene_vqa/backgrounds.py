"""Which part of which photograph stands behind a scene: blocks of one split are in no other.

The blocks are those of :mod:`edgestill.data.composites`, dealt otherwise: a crop here nearly fills
a block, so that each split needs blocks with texture all over. Crops of flat sky or blur are passed
over.
"""

from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from edgestill.data.composites import ORIENTATIONS, Draws, Place, photographs
from edgestill.data.composites.regions import BLOCK_HEIGHT, BLOCK_WIDTH

SIDE = 96
LEAST_DETAIL = 6
"""Least mean absolute difference of neighbouring pixels' luma in a crop, in levels of 255."""

# One letter for each block: public and private, validation, test.
_MAP: Mapping[str, tuple[str, str, str]] = {
    "china": ("pvpp", "tppp", "ppvt"),
    "flower": ("pppp", "pptp", "pvpp"),
}
_LETTERS = {"public": "p", "private": "p", "validation": "v", "test": "t"}
_LUMA = np.array([77, 150, 29], np.int64)
"""Weights of red, green and blue by ITU-R BT.601, in 256ths."""


def draw_background(split: str, draws: Draws) -> Place:
    """Return a crop that a split may use, all of them equally likely; it takes two words."""
    allowed = corners(split)
    photograph, top, left = allowed[draws.integer(0, len(allowed) - 1)]
    orientation = draws.integer(0, ORIENTATIONS - 1)
    return Place(photograph=photograph, top=top, left=left, side=SIDE, orientation=orientation)


@cache
def corners(split: str) -> list[tuple[str, int, int]]:
    """Return photograph, top and left of every crop that a split may use."""
    found = []
    for name, rows in _MAP.items():
        detail = _detail(photographs()[name])
        for row, letters in enumerate(rows):
            for column, letter in enumerate(letters):
                if letter == _LETTERS[split]:
                    corner = (row * BLOCK_HEIGHT, column * BLOCK_WIDTH)
                    found += [(name, top, left) for top, left in _within(corner, detail)]
    return found


def _detail(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the sum of the luma differences within each crop, by its top left corner."""
    luma = (pixels.astype(np.int64) @ _LUMA) >> 8
    steps = np.abs(np.diff(luma, axis=0))[:, :-1] + np.abs(np.diff(luma, axis=1))[:-1]
    sums = np.pad(steps.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    side = SIDE - 1
    inner = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return np.asarray(inner)


def _within(corner: tuple[int, int], detail: NDArray[np.int64]) -> list[tuple[int, int]]:
    top, left = corner
    window = detail[
        top : top + BLOCK_HEIGHT - SIDE + 1,
        left : left + BLOCK_WIDTH - SIDE + 1,
    ]
    enough = np.argwhere(window >= 2 * LEAST_DETAIL * (SIDE - 1) ** 2)
    return [(top + int(down), left + int(right)) for down, right in enough]
