"""Boxes as tensors: how they overlap, and how a cell of the grid says one.

A box is left, top, right, bottom in pixels, right and bottom exclusive. A network has one square
grid of cells; each says where its object's centre lies beside its own, in cells, and the logarithms
of the object's width and height in cells (YOLOX: Ge et al., arXiv 2107.08430, section 2.1).
"""

# Names end in shape letters: B pictures, C cells.
# ruff: noqa: N803

import math

import torch
from torch import Tensor

_LOG_SIZES = (-2.0, 3.0)
"""What a logarithm of a size is clamped to: a cell cannot say a box that overflows."""


def cell_centres(cells: int, side_pixels: int) -> tuple[Tensor, float]:
    """Return the centres [C, 2] (x, y) of a square grid in pixels, row by row, and a cell's side.

    Args:
        cells: C, a square number.
        side_pixels: of the picture.
    """
    side = math.isqrt(cells)
    stride = side_pixels / side
    along = (torch.arange(side, dtype=torch.float32) + 0.5) * stride
    rows, columns = torch.meshgrid(along, along, indexing="ij")
    return torch.stack([columns.flatten(), rows.flatten()], dim=1), stride


def decoded_boxes(said_BC4: Tensor, side_pixels: int) -> Tensor:
    """Return the boxes [B, C, 4] that cells say; they may leave the picture."""
    centres, stride = cell_centres(said_BC4.shape[1], side_pixels)
    middle = centres.to(said_BC4.device) + said_BC4[..., :2] * stride
    half = said_BC4[..., 2:].clamp(*_LOG_SIZES).exp() * (stride / 2.0)
    return torch.cat([middle - half, middle + half], dim=-1)


def encoded_boxes(boxes_BC4: Tensor, side_pixels: int) -> Tensor:
    """Return what each cell has to say for :func:`decoded_boxes` to return these boxes."""
    centres, stride = cell_centres(boxes_BC4.shape[1], side_pixels)
    first, last = boxes_BC4[..., :2], boxes_BC4[..., 2:]
    beside = ((first + last) / 2.0 - centres.to(boxes_BC4.device)) / stride
    return torch.cat([beside, ((last - first) / stride).clamp(min=1e-6).log()], dim=-1)


def overlaps(first: Tensor, second: Tensor) -> Tensor:
    """Return intersection over union, 0..1, of boxes [..., 4] that broadcast."""
    shared, union = _shared_and_union(first, second)
    return shared / union.clamp(min=1e-9)


def generalised_overlaps(first: Tensor, second: Tensor) -> Tensor:
    """Return GIoU, -1..1, of boxes [..., 4] that broadcast (Rezatofighi et al., CVPR 2019)."""
    shared, union = _shared_and_union(first, second)
    low = torch.minimum(first[..., :2], second[..., :2])
    high = torch.maximum(first[..., 2:], second[..., 2:])
    around = (high - low).clamp(min=0.0).prod(-1).clamp(min=1e-9)
    return shared / union.clamp(min=1e-9) - (around - union) / around


def _shared_and_union(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    low = torch.maximum(first[..., :2], second[..., :2])
    high = torch.minimum(first[..., 2:], second[..., 2:])
    shared = (high - low).clamp(min=0.0).prod(-1)
    areas = [(one[..., 2:] - one[..., :2]).clamp(min=0.0).prod(-1) for one in (first, second)]
    return shared, areas[0] + areas[1] - shared
