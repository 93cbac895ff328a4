"""What a benchmark shows on its page beside its tables: curves, points, bars and pictures."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Value = float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One curve, or one colour of bars.

    Attributes:
        name: in the legend.
        x: positions, ascending for lines; names for bars.
        y: values, as many as ``x``; None where there is none.
        low, high: ends of the interval of each value, such as 95 %; both or neither.
    """

    name: str
    x: Sequence[Value]
    y: Sequence[float | None]
    low: Sequence[float | None] | None = None
    high: Sequence[float | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Series over the same axes.

    Attributes:
        title, caption: what is shown, and what is to be seen in it.
        x_label, y_label: with the unit.
        series: at least one.
        kind: how they are drawn.
        logarithmic_x: whether the horizontal axis is logarithmic.
    """

    title: str
    caption: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    kind: Literal["lines", "points", "bars"] = "lines"
    logarithmic_x: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRow:
    """A row of pictures under one label; each is the bytes of a PNG."""

    label: str
    pictures: Sequence[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Rows of pictures to compare, such as what an attack makes of what it saw."""

    title: str
    caption: str
    rows: Sequence[PictureRow]


Shown = Chart | Pictures


def png(image: NDArray[Any]) -> bytes:
    """Return an image as the bytes of a PNG.

    Args:
        image: [H, W], [1, H, W] or [3, H, W] in 0..1; beyond is clipped.
    """
    planes = np.asarray(image, dtype=np.float64)
    levels = np.rint(np.clip(planes, 0.0, 1.0) * 255.0).astype(np.uint8)
    if levels.ndim == 3:
        levels = levels[0] if len(levels) == 1 else levels.transpose(1, 2, 0)
    stream = io.BytesIO()
    Image.fromarray(levels).save(stream, format="PNG")
    return stream.getvalue()
