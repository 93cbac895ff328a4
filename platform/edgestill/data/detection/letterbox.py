"""Pictures of any size brought to one, when they are first asked for, and kept in the cache."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from edgestill.data.bundled import cache_folder, write_whole
from edgestill.errors import DataError

GREY = 114
"""What fills the two bars beside a picture that is no square, as in the YOLO family."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letterboxed:
    """Rows uint8 [N, 3, S, S]: each picture scaled to fit, in the middle of a grey square.

    ``paths`` are the pictures, ``sizes`` int64 [N, 2] their declared width and height,
    ``side_pixels`` is S. A row is made when it is first read, and then lies in the user's cache
    under the picture's folder, name, size and time.
    """

    paths: tuple[Path, ...]
    sizes: NDArray[np.int64]
    side_pixels: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of all axes."""
        return (len(self.paths), 3, self.side_pixels, self.side_pixels)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Unsigned bytes."""
        return np.dtype(np.uint8)

    def __len__(self) -> int:
        """Return N."""
        return len(self.paths)

    def __getitem__(self, index: Any, /) -> NDArray[np.uint8]:
        """Return the rows at an integer, a slice or an array of integers or booleans.

        Raises:
            DataError: a picture is missing, unreadable or not of its declared size.
        """
        rows = np.asarray(np.arange(len(self))[index])
        out = np.empty((rows.size, *self.shape[1:]), np.uint8)
        for place, row in enumerate(rows.reshape(-1)):
            out[place] = self._row(int(row))
        return out.reshape(*rows.shape, *self.shape[1:])

    def _row(self, row: int) -> NDArray[np.uint8]:
        path, shape = self.paths[row], self.shape[1:]
        kept = cache_folder() / "letterboxed" / str(self.side_pixels) / _key(path)
        try:
            content = kept.read_bytes()
        except OSError:
            content = b""  # not there yet; write_whole will say why if it cannot be written
        if len(content) != np.prod(shape):
            content = self._made(path, row).tobytes()
            write_whole(kept, content)
        return np.frombuffer(content, np.uint8).reshape(shape)

    def _made(self, path: Path, row: int) -> NDArray[np.uint8]:
        picture = _opened(path)
        width, height = self.sizes[row].tolist()
        if picture.size != (width, height):
            found = f"{picture.size[0]} x {picture.size[1]} pixels"
            raise DataError(f"{path} (data.path): {found}; its annotations say {width} x {height}")
        (left, top), (wide, high) = fitted(width, height, self.side_pixels)
        square = Image.new("RGB", (self.side_pixels, self.side_pixels), (GREY,) * 3)
        square.paste(picture.resize((wide, high), Image.Resampling.BILINEAR), (left, top))
        return np.ascontiguousarray(np.asarray(square, np.uint8).transpose(2, 0, 1))


def fitted(width: int, height: int, side: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return where a picture lies in its square: (left, top), (width, height) in pixels."""
    longest = max(width, height)
    wide, high = (max(1, round(length * side / longest)) for length in (width, height))
    return ((side - wide) // 2, (side - high) // 2), (wide, high)


def _key(path: Path) -> str:
    """Return a file name that is new whenever the picture is.

    Raises:
        DataError: there is no such picture.
    """
    try:
        facts = path.stat()
    except OSError as error:
        raise DataError(f"{path} (data.path): no such picture; expected by annotations") from error
    folder = hashlib.blake2b(str(path.parent.resolve()).encode(), digest_size=8).hexdigest()
    return f"{folder}/{path.name}-{facts.st_size}-{facts.st_mtime_ns}.rgb"


def _opened(path: Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (
        OSError,
        SyntaxError,
        ValueError,
        UnidentifiedImageError,
        Image.DecompressionBombError,
    ) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} (data.path): cannot be read as a picture: {reason}") from error
