"""Open one ``.npy`` and check what is in it; every fault is a DataError that names file and key."""

import io
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgestill.errors import DataError

_MAGIC = b"\x93NUMPY"
_CHUNK_BYTES = 32 * 2**20
# What numpy raises on a header that is cut off, malformed or promises more than the file holds.
_NUMPY_FAULTS = (ValueError, TypeError, OverflowError, EOFError, SyntaxError, TokenError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file and the key that named it."""

    path: Path
    key: str

    def fault(self, reason: str) -> DataError:
        """Return the error, on one line, that says what is wrong with this file."""
        return DataError(f"{self.path} ({self.key}): {' '.join(reason.split())}")


def open_npy(source: Source) -> NDArray[Any]:
    """Open a ``.npy`` file memory-mapped, read only, without pickle.

    Raises:
        DataError: it is missing, unreadable, not an ``.npy``, truncated, or holds Python objects.
    """
    if not source.path.is_file():
        raise source.fault("no such file; expected an .npy file")
    try:
        with source.path.open("rb") as stream:
            if stream.read(len(_MAGIC)) != _MAGIC:
                raise source.fault("not an .npy file; write it with numpy.save")
        array: NDArray[Any] = np.load(source.path, mmap_mode="r", allow_pickle=False)
    except _NUMPY_FAULTS as error:
        raise source.fault(f"truncated or damaged .npy file: {error}") from error
    except OSError as error:
        raise source.fault(f"cannot be read: {error}") from error
    return array


def open_features(source: Source) -> NDArray[Any]:
    """Open an array of numbers [N, ...] and prove that all are finite, in chunks of 32 MiB.

    Raises:
        DataError: as :func:`open_npy`, or not numbers, empty, or NaN or infinity in some row.
    """
    array = open_npy(source)
    if array.dtype.kind not in "uif":
        raise source.fault(f"holds {array.dtype}; expected integers or floats")
    if array.ndim == 0 or array.size == 0:
        raise source.fault(f"holds no samples, its shape is {array.shape}")
    if array.dtype.kind == "f":
        _check_finite(source, array)
    return array


def _check_finite(source: Source, array: NDArray[Any]) -> None:
    step = max(1, _CHUNK_BYTES * len(array) // array.nbytes)
    for start in range(0, len(array), step):
        chunk = array[start : start + step]
        if not np.isfinite(chunk).all():
            bad = ~np.isfinite(chunk).reshape(len(chunk), -1).all(axis=1)
            row = start + int(np.flatnonzero(bad)[0])
            raise source.fault(f"NaN or infinity in row {row}; every feature must be finite")


def read_integers(source: Source, *, below: int | None = None) -> NDArray[np.int64]:
    """Read whole numbers [n] from 0 on into memory as int64.

    Floats that are whole are accepted: published label files hold such.

    Raises:
        DataError: as :func:`open_npy`, or not a list of whole numbers in 0..below-1.
    """
    array = open_npy(source)
    if array.ndim != 1 or array.dtype.kind not in "uif":
        raise source.fault(
            f"holds {array.dtype} of shape {array.shape}; expected a list of integers"
        )
    limit = 2**63 if below is None else below
    wrong = ~((array >= 0) & (array < limit))
    if array.dtype.kind == "f":
        wrong |= np.floor(array) != array
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        upper = "up" if below is None else f"to {below - 1}"
        raise source.fault(f"{array[row]} in row {row}; expected integers from 0 {upper}")
    return np.asarray(array, dtype=np.int64)


def npy_bytes(array: NDArray[Any]) -> bytes:
    """Return an array as the content of an ``.npy`` file."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def standardising(values: NDArray[Any]) -> tuple[float, float]:
    """Return (scale, offset), six digits each: values * scale + offset have mean 0, variance 1.

    Where all values are equal the scale is 1.
    """
    stored = values.astype(np.float64)
    scale = float(f"{1 / (stored.std() or 1.0):.6g}")
    return scale, float(f"{-stored.mean() * scale:.6g}")
