"""Image codecs as their users have them: Pillow's JPEG and WebP, each at its best effort."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgestill.data.scene_vqa import SIDE
from edgestill.jobs.benchmarks.tofc.plan import ImageCoding

Pixels = NDArray[np.uint8]

SAVED: Mapping[str, Mapping[str, Any]] = {
    "WebP": {"format": "WEBP", "method": 6},
    "WebP lossless": {"format": "WEBP", "method": 4, "lossless": True},
    "JPEG": {"format": "JPEG", "optimize": True},
    "JPEG 4:4:4": {"format": "JPEG", "optimize": True, "subsampling": 0},
}
"""WebP's lossy form always halves the colours' resolution; JPEG does unless told. WebP's lossless
form makes larger files of these pictures by methods 5 and 6, and by efforts above 75."""


def compressed(image_chw: Pixels, coding: ImageCoding) -> bytes:
    """Return the file of a picture, uint8 [3, 96, 96], shrunk first where that is asked for."""
    image = Image.fromarray(np.ascontiguousarray(image_chw.transpose(1, 2, 0)))
    if coding.side != SIDE:
        image = image.resize((coding.side, coding.side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, quality=coding.quality, **SAVED[coding.form])
    return buffer.getvalue()


def restored(content: bytes) -> Pixels:
    """Return the picture of a file, uint8 [3, 96, 96]."""
    with Image.open(io.BytesIO(content)) as opened:
        image = opened.convert("RGB")
    if image.size != (SIDE, SIDE):
        image = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.asarray(image).transpose(2, 0, 1)
