"""The real pictures, out of the committed artefact: two photographs and 1,797 digits."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgestill.data.arrays import Source, open_npy, read_integers
from edgestill.data.bundled import unpacked

PHOTOGRAPHS = ("china", "flower")
DIGIT_IMAGES = 1_797


@dataclass(frozen=True, slots=True, kw_only=True)
class Digits:
    """Handwritten digits: ``images`` uint8 [1797, 8, 8] in 0..16, ``labels`` int64 [1797]."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


@cache
def photographs() -> dict[str, NDArray[np.uint8]]:
    """Return the photographs by name, uint8 [427, 640, 3], read only.

    Raises:
        DataError: the artefact is damaged, or the cache cannot be written.
    """
    folder = unpacked("composites")
    found = {}
    for name in PHOTOGRAPHS:
        with Image.open(folder / f"{name}.webp") as image:
            found[name] = np.array(image.convert("RGB"))
        found[name].setflags(write=False)
    return found


def digits() -> Digits:
    """Return the digits, in scikit-learn's order.

    Raises:
        DataError: the artefact is damaged, or the cache cannot be written.
    """
    folder = unpacked("composites")
    return Digits(
        images=np.array(open_npy(Source(path=folder / "digits.npy", key="digits"))),
        labels=read_integers(Source(path=folder / "labels.npy", key="labels"), below=10),
    )
