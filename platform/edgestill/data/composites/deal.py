"""Which image of a digit is in which split, alike in every set that is made of them."""

from functools import cache

from edgestill.data.composites.draws import Draws
from edgestill.data.composites.pictures import DIGIT_IMAGES

IMAGES = {"public": 1_000, "validation": 200, "private": 300, "test": 297}
"""How many of the images each split has."""


@cache
def dealt() -> dict[str, tuple[int, ...]]:
    """Return the numbers of the images of each split; each image is in one."""
    order = Draws("composites/images", words=DIGIT_IMAGES).permutation(DIGIT_IMAGES)
    found, start = {}, 0
    for split, count in IMAGES.items():
        found[split] = tuple(order[start : start + count])
        start += count
    return found
