"""What a device is asked about: pictures and arrays of a file or a folder, checked."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgestill.errors import InputError
from edgestill.inference.client import Inputs
from edgestill.inference.joint import Input
from edgestill.inference.joint.inputs import checked

PICTURES = (".png", ".jpg", ".jpeg")
ARRAYS = (".npy", ".npz")

_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def files_of(path: Path) -> list[Path]:
    """Return a file, or all pictures and arrays of a folder in the order of their names.

    Raises:
        InputError: there is no such file, or none in the folder.
    """
    if not path.is_dir():
        if not path.exists():
            raise InputError(f"--input {path}: no such file or folder")
        return [path]
    files = sorted(one for one in path.iterdir() if one.suffix.lower() in (*PICTURES, *ARRAYS))
    if not files:
        raise InputError(f"--input {path}: no {', '.join((*PICTURES, *ARRAYS))} in this folder")
    return files


def inputs_of(path: Path, specs: Mapping[str, Input]) -> Iterator[tuple[str, Inputs]]:
    """Yield the name and the arrays of each input in a file.

    A ``.npy`` has one input or, along one axis more, several; a ``.npz`` so for each kind.

    Raises:
        InputError: the file cannot be read, or holds something else; its name is in the line.
    """
    arrays = _arrays(path, specs)
    several = {
        array.shape[0]
        for kind, array in arrays.items()
        if array.ndim == len(_shape(specs, kind)) + 1
    }
    if len(several) > 1:
        raise InputError(f"{path}: kinds of {sorted(several)} inputs; expected equally many")
    try:
        if not several:
            yield path.name, checked(specs, arrays)
            return
        for place in range(several.pop()):
            one = {kind: array[place] for kind, array in arrays.items()}
            yield f"{path.name}[{place}]", checked(specs, one)
    except (InputError, IndexError) as error:
        raise InputError(f"{path}: {error}") from error


def _shape(specs: Mapping[str, Input], kind: str) -> tuple[int, ...]:
    return specs[kind].shape if kind in specs else ()


def _arrays(path: Path, specs: Mapping[str, Input]) -> Mapping[str, NDArray[Any]]:
    suffix = path.suffix.lower()
    try:
        if suffix == ".npz":
            with np.load(path, allow_pickle=False) as found:
                return {kind: found[kind] for kind in found.files}
        if suffix not in (*PICTURES, ".npy"):
            expected = ", ".join((*PICTURES, *ARRAYS))
            raise InputError(f"{path}: expected one of {expected}")
        kind, spec = _only(path, specs)
        if suffix == ".npy":
            return {kind: np.load(path, allow_pickle=False)}
        return {kind: _picture(path, spec)}
    except _UNREADABLE as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{path}: cannot be read ({reason})") from error


def _only(path: Path, specs: Mapping[str, Input]) -> tuple[str, Input]:
    if len(specs) != 1:
        raise InputError(
            f"{path}: the model takes {', '.join(specs)}; give a .npz with an array for each"
        )
    return next(iter(specs.items()))


def _picture(path: Path, spec: Input) -> NDArray[np.uint8]:
    """Return a picture CHW; its size is looked at before it is decoded."""
    if not spec.is_picture:
        raise InputError(f"{path}: the model takes {list(spec.shape)} of {spec.dtype}, no pictures")
    channels, height, width = spec.shape
    with Image.open(path) as image:
        if image.size != (width, height):
            raise InputError(
                f"{path}: {image.width} x {image.height} pixels; the model takes {width} x {height}"
            )
        pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    return np.ascontiguousarray(pixels.reshape(height, width, channels).transpose(2, 0, 1))
