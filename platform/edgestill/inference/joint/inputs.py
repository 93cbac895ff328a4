"""What a device takes in, and the whole of it as one frame: JPEG for pictures, arrays for the rest.

Letters: B inputs, C channels, H height, W width.
"""

# Names end in shape letters.
# ruff: noqa: N803

import io
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from edgestill.codec import DTYPES, decode_arrays, encode_arrays
from edgestill.errors import FrameError, InputError
from edgestill.inference.client import Inputs

JPEG_QUALITY = 80
_WHOLE_COLOURS = 0
"""Chroma as fine as luma: with halved colours even quality 95 costs more bytes and answers."""

_FLOAT_BITS = 16
_SPARE_BYTES = 4096
"""Of a frame beyond the inputs themselves: names, shapes, the tables of a JPEG."""

_NOT_JPEG = (
    OSError,
    SyntaxError,
    ValueError,
    struct.error,
    IndexError,
    Image.DecompressionBombError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One kind of input; networks see ``raw * scale + offset`` as float32.

    Attributes:
        shape: of one raw input; a picture's is C, H, W with 1 or 3 channels.
        dtype: of the raw values as they are recorded and travel.
        scale, offset: standardise them.
    """

    shape: tuple[int, ...]
    dtype: str
    scale: float
    offset: float

    @property
    def nbytes(self) -> int:
        """Bytes of the raw values."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def is_picture(self) -> bool:
        """Whether it travels as JPEG."""
        return len(self.shape) == 3 and self.shape[0] in (1, 3) and self.dtype == "|u1"

    def plain(self) -> dict[str, Any]:
        """Return values that JSON has."""
        return {**asdict(self), "shape": list(self.shape)}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Return what :meth:`plain` wrote.

        Raises:
            ValueError, KeyError, TypeError: ``values`` are no such.
        """
        shape = tuple(int(axis) for axis in values["shape"])
        found = cls(
            shape=shape,
            dtype=np.dtype(values["dtype"]).newbyteorder("<").str,
            scale=float(values["scale"]),
            offset=float(values["offset"]),
        )
        if found.dtype not in DTYPES or not shape or min(shape) < 1:
            raise ValueError(f"inputs of {found.dtype} {list(shape)} do not travel")
        return found


def picture_input(values: Mapping[str, Any]) -> Input:
    """Return a picture's input that :meth:`Input.plain` wrote.

    Raises:
        ValueError, KeyError, TypeError: ``values`` are no picture's.
    """
    found = Input.of(values)
    if not found.is_picture:
        raise ValueError(f"{found.dtype} {list(found.shape)} is no picture")
    return found


Specs = Mapping[str, Input]
"""By kind."""


def checked(specs: Specs, inputs: Inputs) -> dict[str, NDArray[Any]]:
    """Return one input's arrays in the order of ``specs``.

    Raises:
        InputError: a kind is missing or unknown, or of another shape or type.
    """
    if set(inputs) != set(specs):
        raise InputError(
            f"input: kinds {', '.join(sorted(inputs)) or 'none'}; expected {', '.join(specs)}"
        )
    arrays = {}
    for kind, spec in specs.items():
        array = np.asarray(inputs[kind])
        if array.shape != spec.shape or array.dtype != np.dtype(spec.dtype):
            raise InputError(
                f"input: {kind} is {array.dtype} {list(array.shape)}; "
                f"expected {np.dtype(spec.dtype)} {list(spec.shape)}"
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(f"input: {kind} contains NaN or infinity")
        arrays[kind] = array
    return arrays


def standardised(specs: Specs, raw: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    """Return what networks see, by kind, of raw arrays [B, ...]."""
    return {
        kind: torch.from_numpy(
            raw[kind].astype(np.float32) * np.float32(spec.scale) + np.float32(spec.offset)
        )
        for kind, spec in specs.items()
    }


def stacked(specs: Specs, several: Sequence[Inputs]) -> dict[str, NDArray[Any]]:
    """Return arrays [B, ...] of single inputs, by kind."""
    return {kind: np.stack([one[kind] for one in several]) for kind in specs}


def input_frame(specs: Specs, inputs: Inputs, fingerprint: int) -> bytes:
    """Return the frame of one whole input.

    Raises:
        InputError: see :func:`checked`.
    """
    arrays = checked(specs, inputs)
    sent = {
        kind: jpeg_of(array) if specs[kind].is_picture else array for kind, array in arrays.items()
    }
    return encode_arrays(sent, bits=_FLOAT_BITS, fingerprint=fingerprint)


def input_of_frame(specs: Specs, frame: bytes, fingerprint: int) -> dict[str, NDArray[Any]]:
    """Return the input of a frame from anywhere; pictures are as JPEG left them.

    Raises:
        FrameError: not a whole frame of :func:`input_frame` for such inputs.
    """
    most = sum(spec.nbytes + _SPARE_BYTES for spec in specs.values())
    arrays = decode_arrays(frame, fingerprint=fingerprint, max_bytes=most)
    if set(arrays) != set(specs):
        raise FrameError(f"frame holds {', '.join(arrays) or 'nothing'}; not {', '.join(specs)}")
    return {kind: _taken(kind, spec, arrays[kind]) for kind, spec in specs.items()}


def jpeg_of(picture_CHW: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture's JPEG, 4:4:4 with tables of its own, as bytes."""
    pixels = np.ascontiguousarray(picture_CHW.transpose(1, 2, 0))
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=_WHOLE_COLOURS, optimize=True)
    return np.frombuffer(file.getvalue(), np.uint8)


def picture_of(jpeg: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return uint8 CHW of a JPEG from anywhere; its size is checked before it is decoded.

    Raises:
        FrameError: no JPEG, or one of another size.
    """
    channels, height, width = shape
    try:
        image = Image.open(io.BytesIO(jpeg), formats=["JPEG"])
        found = (len(image.getbands()), image.height, image.width)
        if found != (channels, height, width):
            raise FrameError(f"frame holds a picture of {list(found)}; expected {list(shape)}")
        pixels = np.asarray(image)
    except _NOT_JPEG as error:
        raise FrameError(f"frame holds no whole JPEG: {type(error).__name__}") from error
    return np.ascontiguousarray(pixels.reshape(height, width, channels).transpose(2, 0, 1))


def _taken(kind: str, spec: Input, array: NDArray[Any]) -> NDArray[Any]:
    if not spec.is_picture:
        if array.shape != spec.shape or array.dtype != np.dtype(spec.dtype):
            raise FrameError(f"frame holds {kind} of {array.dtype} {list(array.shape)}")
        return array
    if array.ndim != 1 or array.dtype != np.uint8:
        raise FrameError(f"frame holds {kind} of {array.dtype} {list(array.shape)}; not a JPEG")
    return picture_of(array.tobytes(), spec.shape)
