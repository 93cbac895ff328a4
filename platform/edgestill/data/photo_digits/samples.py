"""Which digit lies how over which crop: all of it follows from a hash of the sample's name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgestill.data.composites import (
    IMAGES,
    Digits,
    Draws,
    Place,
    Pose,
    blend,
    coverage,
    crop,
    dealt,
    draw_place,
    draw_pose,
)

NAME = "photo_digits/1"
SIDE = 32
RENDERINGS = {"public": 10, "validation": 8, "private": 10, "test": 8}
"""How often each image of a split is shown, each time otherwise."""

SIDES_PIXELS = (22, 30)
MOST_DEGREES = 15
ZOOMS = (1, 2)
_CHUNK = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One sample: its split, the number of its digit's image, how that lies, and over what."""

    split: str
    image: int
    pose: Pose
    place: Place


def samples() -> Iterator[Sample]:
    """Yield all samples in split order, image by image."""
    for split, images in dealt().items():
        for image in images:
            for rendering in range(RENDERINGS[split]):
                yield _sample(split, image, rendering)


def ranges() -> dict[str, list[int]]:
    """Return the first sample of each split, and the one behind its last."""
    found, start = {}, 0
    for split, count in IMAGES.items():
        found[split] = [start, start + count * RENDERINGS[split]]
        start = found[split][1]
    return found


def render(
    wanted: Sequence[Sample], digits: Digits, photographs: Mapping[str, NDArray[np.uint8]]
) -> NDArray[np.uint8]:
    """Return samples as uint8 [n, 3, 32, 32], red, green and blue."""
    out = np.empty((len(wanted), 3, SIDE, SIDE), np.uint8)
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        images = digits.images[[sample.image for sample in chunk]]
        inked = coverage(images, [sample.pose for sample in chunk], (SIDE, SIDE))
        for row, (sample, ink) in enumerate(zip(chunk, inked, strict=True), start):
            background = crop(photographs[sample.place.photograph], sample.place)
            out[row] = blend(background, ink, sample.pose.ink).transpose(2, 0, 1)
    return out


def _sample(split: str, image: int, rendering: int) -> Sample:
    draws = Draws(f"{NAME}/{image}/{rendering}", words=16)
    zoom = ZOOMS[draws.integer(0, len(ZOOMS) - 1)]
    return Sample(
        split=split,
        image=image,
        pose=draw_pose(SIDE, SIDES_PIXELS, MOST_DEGREES, draws),
        place=draw_place(split, SIDE, draws, zoom=zoom),
    )
