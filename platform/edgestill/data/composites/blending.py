"""A crop of a photograph, and a digit blended over it by difference."""

import numpy as np
from numpy.typing import NDArray

from edgestill.data.composites.regions import ORIENTATIONS, Place

Pixels = NDArray[np.uint8]


def crop(photograph: Pixels, place: Place) -> Pixels:
    """Return the pixels of a place, uint8 [side, side, 3], of a photograph [H, W, 3]."""
    reach = place.side * place.zoom
    pixels = photograph[place.top : place.top + reach, place.left : place.left + reach]
    turned = np.rot90(_shrunk(pixels, place.zoom), place.orientation % 4)
    return turned[:, ::-1] if place.orientation >= ORIENTATIONS // 2 else turned


def blend(background: Pixels, inked: Pixels, ink: tuple[int, int, int]) -> Pixels:
    """Return |background - ink| where a digit is, uint8 [H, W, 3].

    Ganin & Lempitsky, ICML 2015, on their set MNIST-M; here the ink has a colour.

    Args:
        background: uint8 [H, W, 3].
        inked: uint8 [H, W], how much of each pixel the digit covers, 0..255.
        ink: red, green and blue of full ink, 0..255.
    """
    taken = (inked[:, :, None].astype(np.int32) * np.array(ink, np.int32) + 127) // 255
    return np.abs(background.astype(np.int32) - taken).astype(np.uint8)


def _shrunk(pixels: Pixels, zoom: int) -> Pixels:
    if zoom == 1:
        return pixels
    side = len(pixels) // zoom
    sums = pixels.reshape(side, zoom, side, zoom, 3).astype(np.int32).sum(axis=(1, 3))
    return np.asarray((sums + zoom**2 // 2) // zoom**2, np.uint8)
