"""The parameters of a lane as one matrix, a row for each device.

Shape letters: L lanes (devices), N numbers of one device.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgestill.models import Arrays

ALIGNMENT = 16
"""Float32 in 64 bytes, so that a matrix begins at the same place of a cache line in each row."""


class Stacking:
    """How named arrays lie in rows of N numbers.

    Arrays of three and more axes (convolutions' weights) lie with their second axis last, as the
    matrix products want them. Each array begins at a whole number of ``ALIGNMENT`` numbers.

    Args:
        shapes: name to shape of one device's array.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.shapes = dict(shapes)
        sizes = [math.prod(shape) for shape in self.shapes.values()]
        self._gaps = [-size % ALIGNMENT for size in sizes]
        ends = np.cumsum([0, *np.add(sizes, self._gaps)]).astype(int).tolist()
        self.width: int = ends[-1]
        self._places = {
            name: slice(start, start + size)
            for name, start, size in zip(self.shapes, ends[:-1], sizes, strict=True)
        }

    def stack(
        self, devices: Sequence[Mapping[str, NDArray[np.float32]]], device: torch.device
    ) -> Tensor:
        """Return [L, N]; what a device lacks, or has in another shape, is 0."""
        rows_LN = np.zeros((len(devices), self.width), np.float32)  # noqa: N806 - shape letters
        for row, arrays in zip(rows_LN, devices, strict=True):
            for name, shape in self.shapes.items():
                array = arrays.get(name)
                if array is not None and array.shape == shape:
                    row[self._places[name]] = _stored(array).ravel()
        return torch.from_numpy(rows_LN).to(device)

    def views(self, rows_LN: Tensor) -> dict[str, Tensor]:  # noqa: N803
        """Return each array of all rows, [L, *shape], in the rows' own memory."""
        lanes = len(rows_LN)
        views = {}
        for name, shape in self.shapes.items():
            stored = (lanes, shape[0], *shape[2:], shape[1]) if len(shape) > 2 else (lanes, *shape)
            block = rows_LN[:, self._places[name]].view(stored)
            views[name] = block.movedim(-1, 2) if len(shape) > 2 else block
        return views

    def join(self, tensors: Iterable[Tensor]) -> Tensor:
        """Return [L, N] of arrays [L, *shape] in the order of the shapes; 0 in between."""
        rows = [_flat(one) for one in tensors]
        parts = [
            part
            for row, gap in zip(rows, self._gaps, strict=True)
            for part in (row, row.new_zeros(len(row), gap))
        ]
        return torch.cat([part for part in parts if part.shape[1]], dim=1)

    def arrays(self, row_N: Tensor) -> Arrays:  # noqa: N803
        """Return one device's arrays, copied."""
        views = self.views(row_N.detach().cpu().unsqueeze(0))
        return {name: np.array(view[0].numpy(), order="C") for name, view in views.items()}


def _flat(tensor: Tensor) -> Tensor:
    """Return [L, *shape] as rows, in the order of storage."""
    moved = tensor.movedim(2, -1) if tensor.dim() > 3 else tensor
    return moved.reshape(len(moved), -1)


def _stored(array: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.moveaxis(array, 1, -1) if array.ndim > 2 else array
