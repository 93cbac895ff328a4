"""Whole inputs as JPEG at several settings, in frames as they are sent."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgestill.codec import encode_arrays
from edgestill.inference.joint.inputs import picture_of

FULL_COLOURS, HALVED_COLOURS = 0, 2
"""Pillow's numbers of 4:4:4 and 4:2:0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How pictures are compressed.

    Attributes:
        quality: 1..95.
        subsampling: of the colours.
    """

    quality: int
    subsampling: int = FULL_COLOURS

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.quality}, {'4:4:4' if self.subsampling == FULL_COLOURS else '4:2:0'}"


SETTINGS = (
    *(Setting(quality=quality) for quality in (30, 50, 60, 70, 80, 90)),
    *(Setting(quality=quality, subsampling=HALVED_COLOURS) for quality in (70, 90, 95)),
)
KEPT = 0.995
"""Share of the accuracy on the pictures as they are that a setting must leave the cloud."""

KIND = "visual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """Pictures as they arrive, uint8 [n, C, H, W], and the bytes of their frames [n]."""

    pictures: NDArray[np.uint8]
    bytes_sent: NDArray[np.float64]


def sent(pictures: NDArray[np.uint8], setting: Setting, fingerprint: int) -> Sent:
    """Return what arrives of pictures, uint8 [n, C, H, W]."""
    files = [_file(picture, setting) for picture in pictures]
    sizes = [
        len(encode_arrays({KIND: np.frombuffer(one, np.uint8)}, bits=16, fingerprint=fingerprint))
        for one in files
    ]
    arrived = [picture_of(one, pictures.shape[1:]) for one in files]
    return Sent(pictures=np.stack(arrived), bytes_sent=np.array(sizes, np.float64))


def without_tables(pictures: NDArray[np.uint8], setting: Setting) -> float:
    """Return the mean bytes of abbreviated JPEG, whose tables both ends hold, without a frame."""
    return float(np.mean([len(_file(one, setting, abbreviated=True)) for one in pictures]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What the cloud makes of validation pictures by a setting, and what their frames take."""

    setting: Setting
    accuracy: float
    bytes: float


def smallest_enough(tried: Sequence[Tried], uncompressed: float) -> Setting:
    """Return the setting of the fewest bytes that leaves the cloud its accuracy, else the best."""
    enough = [one for one in tried if one.accuracy >= KEPT * uncompressed]
    if not enough:
        return max(tried, key=lambda one: one.accuracy).setting
    return min(enough, key=lambda one: one.bytes).setting


def _file(
    picture_CHW: NDArray[np.uint8],  # noqa: N803 - shape letters
    setting: Setting,
    *,
    abbreviated: bool = False,
) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(picture_CHW.transpose(1, 2, 0)))
    # Without tables of their own, pictures are coded by those that every decoder knows.
    how = {"streamtype": 2} if abbreviated else {"optimize": True}
    image.save(file, "JPEG", quality=setting.quality, subsampling=setting.subsampling, **how)
    return file.getvalue()
