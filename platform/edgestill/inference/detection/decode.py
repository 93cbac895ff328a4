"""From a network's outputs to the boxes found in each picture."""

# Names end in shape letters: B pictures, C cells, K classes, T the best candidates.
# ruff: noqa: N803

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgestill.inference.detection.boxes import decoded_boxes, overlaps
from edgestill.inference.detection.losses import confidences

_CANDIDATES = 60
"""Pairs of a cell and a class that are looked at in a picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The boxes found in one picture, D of them, the most confident first.

    Attributes:
        boxes: float32 [D, 4] of left, top, right, bottom in pixels.
        labels: int64 [D].
        scores: float64 [D], confidences in 0..1.
    """

    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    scores: NDArray[np.float64]

    def above(self, score: float) -> "Found":
        """Return those with at least this confidence."""
        kept = self.scores >= score
        return Found(boxes=self.boxes[kept], labels=self.labels[kept], scores=self.scores[kept])


@torch.no_grad()
def found_boxes(
    outputs_BCF: Tensor, side_pixels: int, *, least_score: float, most_overlap: float
) -> list[Found]:
    """Return the boxes of each picture: of a class, none overlaps a better one by more than said.

    Args:
        outputs_BCF: [B, C, 5 + K].
        side_pixels: boxes are cut at the picture's borders.
        least_score: what is less confident is not looked at, 0..1.
        most_overlap: intersection over union, 0..1.
    """
    outputs = outputs_BCF.float()
    scores = confidences(outputs)
    classes = scores.shape[-1]
    flat = scores.flatten(1)
    best, places = flat.topk(min(_CANDIDATES, flat.shape[1]), dim=1)
    boxes = decoded_boxes(outputs[..., :4], side_pixels).clamp(0.0, float(side_pixels))
    boxes = torch.gather(boxes, 1, (places // classes).unsqueeze(-1).expand(-1, -1, 4))
    labels = places % classes
    kept = (best >= least_score) & _apart(boxes, labels, best >= least_score, most_overlap)
    columns = (boxes.numpy(), labels.numpy(), best.double().numpy(), kept.numpy())
    return [
        Found(boxes=b[rows], labels=n[rows], scores=s[rows])
        for b, n, s, rows in zip(*columns, strict=True)
    ]


def _apart(boxes_BT4: Tensor, labels_BT: Tensor, there_BT: Tensor, most: float) -> Tensor:
    """Return which of the candidates, the best first, greedy suppression keeps, bool [B, T]."""
    overlap = overlaps(boxes_BT4.unsqueeze(2), boxes_BT4.unsqueeze(1)) > most
    rival = overlap & (labels_BT.unsqueeze(2) == labels_BT.unsqueeze(1))
    kept = there_BT.clone()
    for place in range(kept.shape[1] - 1):
        beaten = rival[:, place, place + 1 :] & kept[:, place, None]
        kept[:, place + 1 :] &= ~beaten
    return kept
