"""Detection as a task of joint inference."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from edgestill.inference.answer import Answer, Tier
from edgestill.inference.detection.average_precision import Matched, matched, rightness
from edgestill.inference.detection.decode import Found, found_boxes
from edgestill.inference.detection.losses import detection_loss, distillation_loss
from edgestill.inference.detection.targets import unpadded_objects
from edgestill.inference.gates import Answers, detected
from edgestill.inference.gates.answers import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """Boxes to be found; targets are [B, M, 6] as of :func:`padded_objects`.

    Attributes:
        classes: K.
        side_pixels: of a picture.
        positive_weight: how much more a missed object costs in training than a false one; above 1
            it boosts recall.
        least_score: a box is an answer if it is at least so confident, 0..1.
        most_overlap: of two boxes of a class that overlap more, one is left, 0..1.
        gate_score: a gate sees a box if it is at least so confident, 0..1.
        told_score: people are told a box if it is at least so confident, 0..1.
    """

    classes: int
    side_pixels: int
    positive_weight: float = 1.0
    least_score: float = 0.02
    most_overlap: float = 0.6
    gate_score: float = 0.1
    told_score: float = 0.3

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the scalar loss of scores and boxes."""
        return detection_loss(outputs, targets, self.side_pixels, self.positive_weight)

    def distillation(self, outputs: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar distance to a teacher's scores and, where it is confident, boxes."""
        return distillation_loss(outputs, teacher, self.side_pixels)

    def found(self, outputs: Tensor) -> list[Found]:
        """Return the boxes found in each picture."""
        return found_boxes(
            outputs,
            self.side_pixels,
            least_score=self.least_score,
            most_overlap=self.most_overlap,
        )

    def answers(self, outputs: Tensor) -> Answers:
        """Return the confidences of each picture's boxes, the faint ones left out."""
        return detected([one.above(self.gate_score).scores for one in self.found(outputs)])

    def told(self, outputs: Tensor, by: Tier) -> Sequence[Answer]:
        """Return the boxes of each picture that are confident enough to be told."""
        return [_told(one.above(self.told_score), by) for one in self.found(outputs)]

    def matched(self, outputs: Tensor, targets: Tensor) -> list[Matched]:
        """Return what of each picture's boxes is right, for choices among ways of answering."""
        pairs = zip(self.found(outputs), unpadded_objects(targets), strict=True)
        return [matched(found, objects) for found, objects in pairs]

    def weights(self, targets: Tensor) -> Floats:
        """Return [B], the objects of each picture over their mean, as each counts alike."""
        counts = np.array([(~one.crowd).sum() for one in unpadded_objects(targets)], np.float64)
        weights: Floats = counts / max(counts.mean(), 1.0 / len(counts))
        return weights

    def right(self, outputs: Tensor, targets: Tensor) -> Floats:
        """Return [B], each picture's own mean average precision."""
        return np.array([rightness(one) for one in self.matched(outputs, targets)])

    def score(self, outputs: Tensor, targets: Tensor) -> float:
        """Return mAP@[.5:.95] by COCO's definition, 0..1."""
        # A device, which measures nothing, does without it.
        from edgestill.inference.detection.coco import coco_mean_average_precision

        return coco_mean_average_precision(
            self.found(outputs), unpadded_objects(targets), self.classes
        )


def _told(found: Found, by: Tier) -> Answer:
    rows = zip(found.boxes, found.labels, found.scores, strict=True)
    boxes = tuple((*map(float, box), float(label), float(score)) for box, label, score in rows)
    return Answer(by=by, confidence=float(found.scores.mean()) if len(boxes) else 0.0, boxes=boxes)
