"""What a detector learns from: its objects, or a teacher's outputs.

Outputs are [B, C, 5 + K]: what a cell says of its box (:mod:`edgestill.inference.detection.boxes`),
the logit of how well this box fits an object (in place of a centre-ness: generalised focal loss,
Li et al., NeurIPS 2020), and the logits of K classes, one of which an object has.
"""

# Names end in shape letters: B pictures, C cells, K classes, F = 5 + K.
# ruff: noqa: N803

import torch
from torch import Tensor
from torch.nn import functional

from edgestill.inference.detection.boxes import decoded_boxes, generalised_overlaps, overlaps
from edgestill.inference.detection.targets import assigned

QUALITY = 4
"""The place of the logit of fit in a cell's outputs."""

_BOX_WEIGHT = 2.0
_FOCUS = 2.0
"""The exponent by which what is already right counts less (focal loss: Lin et al., ICCV 2017)."""

_LEAST_TAUGHT = 0.05
"""A teacher's box is learned where its score is at least so much."""


def confidences(outputs_BCF: Tensor) -> Tensor:
    """Return [B, C, K]: how well a cell's box fits, times the probability of each class."""
    fit = torch.sigmoid(outputs_BCF[..., QUALITY : QUALITY + 1])
    return fit * torch.softmax(outputs_BCF[..., QUALITY + 1 :], dim=-1)


def detection_loss(
    outputs_BCF: Tensor, targets_BM6: Tensor, side_pixels: int, positive_weight: float = 1.0
) -> Tensor:
    """Return the sum of losses of fit, class and box, a scalar: a mean over objects' cells.

    The fit is learned by quality focal loss, boxes by GIoU loss, classes by cross-entropy.

    Args:
        outputs_BCF: [B, C, 5 + K].
        targets_BM6: as :func:`~edgestill.inference.detection.targets.padded_objects` makes them.
        side_pixels: of a picture.
        positive_weight: how much more a missed object costs than a false one.
    """
    outputs = outputs_BCF.float()
    found = assigned(targets_BM6, outputs.shape[1], side_pixels)
    positive = found.positive_BC
    said = decoded_boxes(outputs[..., :QUALITY], side_pixels)[positive]
    true = found.boxes_BC4[positive]
    quality = torch.zeros_like(outputs[..., QUALITY])
    quality[positive] = overlaps(said.detach(), true)
    weights = found.counted_BC * torch.where(positive, positive_weight, 1.0)
    count = positive.sum().clamp(min=1)
    fits = (quality_focal(outputs[..., QUALITY], quality) * weights).sum()
    classes = functional.cross_entropy(
        outputs[..., QUALITY + 1 :][positive], found.labels_BC[positive], reduction="sum"
    )
    boxes = (1.0 - generalised_overlaps(said, true)).sum()
    return (fits + classes + _BOX_WEIGHT * boxes) / count


def distillation_loss(outputs_BCF: Tensor, teacher_BCF: Tensor, side_pixels: int) -> Tensor:
    """Return the distance to a teacher's outputs, a scalar.

    The fit is learned as in :func:`detection_loss` from the teacher's; class (by their divergence)
    and box (by GIoU) are learned from each of its cells as much as it is confident.
    """
    outputs, teacher = outputs_BCF.float(), teacher_BCF.detach().float()
    taught = torch.sigmoid(teacher[..., QUALITY])
    confident = torch.where(taught >= _LEAST_TAUGHT, taught, 0.0)
    said, teachers = (torch.log_softmax(o[..., QUALITY + 1 :], dim=-1) for o in (outputs, teacher))
    classes = (teachers.exp() * (teachers - said)).sum(-1)
    boxes, others = (decoded_boxes(o[..., :QUALITY], side_pixels) for o in (outputs, teacher))
    apart = 1.0 - generalised_overlaps(boxes, others)
    fits = quality_focal(outputs[..., QUALITY], taught)
    total = confident.sum().clamp(min=1.0)
    return (fits.sum() + ((classes + _BOX_WEIGHT * apart) * confident).sum()) / total


def quality_focal(logits: Tensor, quality: Tensor) -> Tensor:
    """Return the binary cross-entropy with a quality in 0..1, times the squared distance to it.

    Li et al., "Generalized Focal Loss", NeurIPS 2020, equation 6, beta = 2.
    """
    cross = functional.binary_cross_entropy_with_logits(logits, quality, reduction="none")
    return cross * (torch.sigmoid(logits) - quality).abs() ** _FOCUS
