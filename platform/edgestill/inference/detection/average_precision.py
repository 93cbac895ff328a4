"""Mean average precision by COCO's definition, fast enough to try many choices of answers.

What a picture's boxes match does not depend on the answers to other pictures, so it is found once
for each way of answering (:func:`matched`), and any choice among ways is a sort and a sum
(:func:`mean_average_precision`). The figures are those of pycocotools
(:mod:`edgestill.inference.detection.coco`) to the last digits.
"""

# Names end in shape letters: D boxes found, M objects, T thresholds of overlap.
# ruff: noqa: N803, N806, N815

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgestill.data.detection import Objects
from edgestill.inference.detection.decode import Found

OVERLAPS = np.linspace(0.5, 0.95, 10)
"""At which a box is held to have found an object, COCO's ten."""

_RECALLS = np.linspace(0.0, 1.0, 101)
_ROUNDING = np.spacing(1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """What of one picture's boxes is right, D of them, and how many objects there were.

    Attributes:
        scores: float64 [D].
        labels: int64 [D].
        right_TD: bool, whether the box found an object that no better box had.
        ignored_TD: bool, whether it counts neither way: it found a crowd.
        objects: int64 [M], the labels of the objects without the crowds.
    """

    scores: NDArray[np.float64]
    labels: NDArray[np.int64]
    right_TD: NDArray[np.bool_]
    ignored_TD: NDArray[np.bool_]
    objects: NDArray[np.int64]


def matched(found: Found, objects: Objects) -> Matched:
    """Match one picture's boxes to its objects, each class alone, the best boxes first."""
    order = np.argsort(-found.scores, kind="stable")
    labels = found.labels[order]
    overlap_DM = _overlaps(found.boxes[order], objects)
    overlap_DM[labels[:, None] != objects.labels[None, :]] = -1.0
    right, ignored = (np.zeros((len(OVERLAPS), len(order)), np.bool_) for _ in range(2))
    least = np.minimum(OVERLAPS, 1.0 - 1e-10)
    free = np.tile(~objects.crowd, (len(OVERLAPS), 1))
    for place in np.flatnonzero(overlap_DM.max(axis=1, initial=-1.0) >= least[0]):
        row = overlap_DM[place]
        own = np.where(free, row, -1.0)
        # Of equal overlaps pycocotools takes the last.
        best = own.shape[1] - 1 - own[:, ::-1].argmax(axis=1)
        hit = own[np.arange(len(own)), best] >= least
        right[:, place] = hit
        free[np.flatnonzero(hit), best[hit]] = False
        crowd = row[objects.crowd].max(initial=-1.0)
        ignored[:, place] = ~hit & (crowd >= least)
    return Matched(
        scores=found.scores[order],
        labels=labels,
        right_TD=right,
        ignored_TD=ignored,
        objects=objects.labels[~objects.crowd],
    )


def mean_average_precision(answers: Sequence[Matched]) -> float:
    """Return the mean over thresholds of overlap and classes with objects, 0..1; 0 without any.

    Lin et al., "Microsoft COCO", ECCV 2014: precision at 101 recalls, thresholds 0.5 to 0.95.
    """
    objects = np.concatenate([one.objects for one in answers] or [np.zeros(0, np.int64)])
    if not len(objects):
        return 0.0
    labels = np.concatenate([one.labels for one in answers])
    scores = np.concatenate([one.scores for one in answers])
    right, ignored = (
        np.concatenate([getattr(one, name) for one in answers], axis=1)
        for name in ("right_TD", "ignored_TD")
    )
    precisions = []
    for label, count in zip(*np.unique(objects, return_counts=True), strict=True):
        own = np.flatnonzero(labels == label)
        own = own[np.argsort(-scores[own], kind="stable")]
        precisions.append(_precision(right[:, own], ignored[:, own], int(count)))
    return float(np.mean(precisions))


def rightness(answer: Matched) -> float:
    """Return how right one picture's answer is, 0..1: its own mean average precision.

    That of many pictures is no mean of theirs, but what betters the one betters the other. A
    picture without objects is as right as its most confident box is unsure.
    """
    if not len(answer.objects):
        return float(1.0 - answer.scores[~answer.ignored_TD.any(axis=0)].max(initial=0.0))
    return mean_average_precision([answer])


def _precision(right_TD: NDArray[np.bool_], ignored_TD: NDArray[np.bool_], objects: int) -> float:
    """Return one class's average precision, the mean over thresholds."""
    hits = np.cumsum(right_TD, axis=1, dtype=np.float64)
    misses = np.cumsum(~right_TD & ~ignored_TD, axis=1, dtype=np.float64)
    precision = hits / (hits + misses + _ROUNDING)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    envelope = np.concatenate([envelope, np.zeros((len(envelope), 1))], axis=1)
    places = [np.searchsorted(row, _RECALLS, side="left") for row in hits / objects]
    return float(np.take_along_axis(envelope, np.array(places), axis=1).mean())


def _overlaps(boxes_D4: NDArray[np.float32], objects: Objects) -> NDArray[np.float64]:
    """Return intersection over union [D, M]; with a crowd, over the found box alone."""
    a, b = boxes_D4.astype(np.float64)[:, None], objects.boxes.astype(np.float64)[None]
    low, high = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])
    shared = np.maximum(high - low, 0.0).prod(-1)
    areas = [(one[..., 2:] - one[..., :2]).prod(-1) for one in (a, b)]
    union = np.where(objects.crowd[None], areas[0], areas[0] + areas[1] - shared)
    overlap: NDArray[np.float64] = shared / np.maximum(union, 1e-12)
    return overlap
