"""One stream, two rates: the upper four bits of each byte of a sample, and then the lower four.

What is kept of a sample is whole. For a slow link the lower plane is left out: half of the bytes,
and every number to the middle of a sixteenth of its range. Nothing is coded anew.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgestill.errors import FrameError

Array = NDArray[Any]

WHOLE = "whole"
"""Suffix of the constant that says how a column was: 1 for signed bytes else 0, its row's shape."""

MOST_VALUES = 1 << 24
_SIGN = 0x80
_MIDDLE = 0x08


def coarse(columns: Mapping[str, Array], signed: frozenset[str]) -> dict[str, Array]:
    """Return columns [n, ...] of single bytes as their upper planes, and all others as they are.

    Args:
        columns: of samples.
        signed: names of columns of dtype uint8 that hold int8.
    """
    made: dict[str, Array] = {}
    for name, column in columns.items():
        if column.dtype.itemsize != 1 or column.ndim < 2:
            made[name] = column
            continue
        negative = name in signed or column.dtype == np.int8
        codes = column.reshape(len(column), -1).view(np.uint8) ^ (_SIGN if negative else 0)
        if codes.shape[1] % 2:
            codes = np.concatenate([codes, np.zeros_like(codes[:, :1])], axis=1)
        made[name] = (codes[:, ::2] & 0xF0) | (codes[:, 1::2] >> 4)
        made[f"{name}/{WHOLE}"] = np.array([int(negative), *column.shape[1:]], np.int32)
    return made


def coarse_bytes(dtype: np.dtype[np.void]) -> int:
    """Return the bytes of a sample of this layout at the lower rate."""
    total = 0
    for name in dtype.names or ():
        field = dtype[name]
        size = field.itemsize
        total += -(-size // 2) if field.base.itemsize == 1 and field.shape else size
    return total


def restored(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Undo :func:`coarse`; arrays of a whole frame are returned as they are.

    Raises:
        FrameError: a plane does not fit what is said of its column.
    """
    made = {name: array for name, array in arrays.items() if not name.endswith(f"/{WHOLE}")}
    for name, said in arrays.items():
        if name.endswith(f"/{WHOLE}"):
            column = name.removesuffix(f"/{WHOLE}")
            made[column] = _column(column, made.get(column), said)
    return made


def _column(name: str, plane: Array | None, said: Array) -> Array:
    if plane is None or said.dtype != np.int32 or said.ndim != 1 or len(said) < 2:
        raise FrameError(f"knowledge frame: {name} has no plane, or no shape")
    negative, *shape = said.tolist()
    count = math.prod(shape) if min(shape) >= 0 else -1
    if negative not in (0, 1) or not 0 <= count <= MOST_VALUES:
        raise FrameError(f"knowledge frame: {name} was {said.tolist()}")
    if plane.dtype != np.uint8 or plane.shape[1:] != (-(-count // 2),):
        raise FrameError(f"knowledge frame: {name} is {plane.dtype} {plane.shape} for {shape}")
    codes = np.stack([plane & 0xF0, plane << 4], axis=-1).reshape(len(plane), -1)[:, :count]
    whole = ((codes | _MIDDLE) ^ (_SIGN if negative else 0)).reshape(len(plane), *shape)
    # An input of signed bytes is int8; a table of the teacher's outputs stays packed.
    signed = negative and name.endswith("/input")
    return np.asarray(whole.view(np.int8) if signed else whole)
