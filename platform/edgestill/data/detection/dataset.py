"""What a loaded set for detection is: pictures, and flat arrays of the objects in them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgestill.data.dataset import SPLITS, Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """What is in one picture: M objects, M from 0 up.

    ``boxes`` float32 [M, 4] of left, top, right, bottom in pixels from the top left corner, right
    and bottom exclusive; ``labels`` int64 [M]; ``crowd`` bool [M].
    """

    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    crowd: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionSet:
    """Pictures of one size and the objects in them.

    ``images`` uint8 [N, 3, H, W] (red, green, blue). The objects of picture i are the rows
    ``offsets[i]`` to ``offsets[i + 1]`` of ``boxes`` [M, 4], ``labels`` [M] in
    0..len(class_names)-1 and ``crowd`` [M]; ``offsets`` is int64 [N + 1]. A crowd is a box around
    many objects that are not told apart: it is not to be learned, and what is found in it counts
    neither for nor against (Lin et al., "Microsoft COCO", ECCV 2014).
    """

    name: str
    images: Rows
    offsets: NDArray[np.int64]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    crowd: NDArray[np.bool_]
    class_names: tuple[str, ...]
    splits: Mapping[str, NDArray[np.int64]]
    digest: str
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    def __len__(self) -> int:
        """Return N, the number of pictures."""
        return len(self.images)

    def inputs(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the pictures at ``indices`` (B of them) as float32 [B, 3, H, W] in 0..1."""
        values = np.array(self.images[indices], dtype=np.float32, order="C")
        values /= np.float32(255)
        return values

    def objects(self, index: int) -> Objects:
        """Return what is in one picture."""
        rows = slice(int(self.offsets[index]), int(self.offsets[index + 1]))
        return Objects(boxes=self.boxes[rows], labels=self.labels[rows], crowd=self.crowd[rows])


def detection_digest(
    flat: tuple[NDArray[Any], ...], splits: Mapping[str, NDArray[np.int64]], images: bytes
) -> str:
    """Return 16 hex digits that name a set's content, wherever it lies.

    Args:
        flat: offsets, boxes, labels and crowd.
        splits: by name.
        images: what names the pictures, such as their checksum.
    """
    state = hashlib.blake2b(images, digest_size=8)
    for array in (*flat, *(splits[name] for name in SPLITS)):
        little = array.astype(array.dtype.newbyteorder("<"))
        state.update(f"{array.shape}{little.dtype.str}".encode() + little.tobytes())
    return state.hexdigest()
