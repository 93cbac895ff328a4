"""Objects as one tensor, and which cell of the grid answers for which of them."""

# Names end in shape letters: B pictures, M places for objects, C cells, K classes.
# ruff: noqa: N803, N815

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from edgestill.data.detection import Objects
from edgestill.inference.detection.boxes import cell_centres

NOTHING = -1
"""The label of a place without an object."""

_RADIUS_CELLS = 1.5
"""Cells up to so far from an object's centre may answer for it (centre sampling of FCOS)."""


def padded_objects(objects: Sequence[Objects]) -> Tensor:
    """Return the objects of B pictures as one tensor, which rows are taken of as of any other.

    Returns:
        float32 [B, M, 6] of left, top, right, bottom, label and crowd (0 or 1), M the most objects
        of a picture, at least 1; the label of a place without an object is :data:`NOTHING`.
    """
    most = max([1, *(len(one.labels) for one in objects)])
    table = np.zeros((len(objects), most, 6), np.float32)
    table[:, :, 4] = NOTHING
    for row, one in zip(table, objects, strict=True):
        row[: len(one.labels)] = np.column_stack([one.boxes, one.labels, one.crowd])
    return torch.from_numpy(table)


def unpadded_objects(targets_BM6: Tensor) -> list[Objects]:
    """Return the objects that :func:`padded_objects` put into one tensor."""
    found = []
    for row in targets_BM6.cpu().numpy():
        there = row[row[:, 4] != NOTHING]
        found.append(
            Objects(
                boxes=there[:, :4],
                labels=there[:, 4].astype(np.int64),
                crowd=there[:, 5].astype(np.bool_),
            )
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """What each cell is to answer.

    Attributes:
        positive_BC: bool, whether it answers for an object.
        boxes_BC4: of that object, in pixels; anything elsewhere.
        labels_BC: int64, of that object; 0 elsewhere.
        counted_BC: bool, whether its class scores are learned: not where it lies in a crowd.
    """

    positive_BC: Tensor
    boxes_BC4: Tensor
    labels_BC: Tensor
    counted_BC: Tensor


def assigned(targets_BM6: Tensor, cells: int, side_pixels: int) -> Assigned:
    """Return which cell answers for which object.

    These are the cells whose centre is in the object's box and near its centre (FCOS: Tian et al.,
    ICCV 2019, with centre sampling), and the cell nearest to its centre in any case, since a narrow
    box may hold no cell's centre. Of several objects it is the nearest.
    """
    centres = cell_centres(cells, side_pixels)[0].to(targets_BM6.device)
    stride = side_pixels / cells**0.5
    boxes, there = targets_BM6[..., :4], targets_BM6[..., 4] != NOTHING
    crowd = there & (targets_BM6[..., 5] > 0.5)
    inside = _inside(centres, boxes)
    away = (centres - ((boxes[..., :2] + boxes[..., 2:]) / 2.0).unsqueeze(2)).abs().amax(-1)
    own = (there & ~crowd).unsqueeze(2)
    nearest = torch.zeros_like(inside).scatter_(2, away.argmin(2, keepdim=True), True)
    may = own & (nearest | (inside & (away <= _RADIUS_CELLS * stride)))
    # A cell that is the nearest of one object is not taken by another.
    cost = torch.where(may, away - side_pixels * nearest.float(), torch.inf)
    least, which = cost.min(1)
    picked = torch.gather(targets_BM6, 1, which.unsqueeze(2).expand(-1, -1, 6))
    positive = torch.isfinite(least)
    in_crowd = (inside & crowd.unsqueeze(2)).any(1)
    return Assigned(
        positive_BC=positive,
        boxes_BC4=picked[..., :4],
        labels_BC=picked[..., 4].clamp(min=0).long(),
        counted_BC=positive | ~in_crowd,
    )


def _inside(centres_C2: Tensor, boxes_BM4: Tensor) -> Tensor:
    """Return bool [B, M, C]: whether a cell's centre is in a box."""
    low, high = boxes_BM4[..., None, :2], boxes_BM4[..., None, 2:]
    return ((centres_C2 > low) & (centres_C2 < high)).all(-1)
