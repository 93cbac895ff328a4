"""The hard example mining of KubeEdge Sedna as it is defined, faults included, to compare with.

``CrossEntropy`` calls an input hard where 1 minus its normalised entropy is below a threshold,
``IBT`` where at least a share of its boxes is not confident, ``Threshold`` where the mean
confidence of its boxes is low. An image without any box is never hard.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from edgestill.inference.gates import Answers, normalised_entropy

Gate = Callable[[Answers], NDArray[np.bool_]]
"""Answers of N inputs to whether each is hard."""


def cross_entropy(threshold: float) -> Gate:
    """Return the gate for classes; its own threshold is 0.5.

    Sedna's code cannot take a probability of 0; here its logarithm counts nothing.
    """
    return lambda answers: 1.0 - normalised_entropy(answers) < threshold


def ibt(box_threshold: float, image_threshold: float) -> Gate:
    """Return the gate for boxes; both thresholds are 0.5, in its example of helmets 0.9."""

    def gate(answers: Answers) -> NDArray[np.bool_]:
        shares = [np.mean(row <= box_threshold) if len(row) else -1.0 for row in _rows(answers)]
        return np.array(shares) >= 1.0 - image_threshold

    return gate


def mean_below(threshold: float) -> Gate:
    """Return ``Threshold``; its own is 0.5."""
    return lambda answers: np.array(
        [bool(len(row)) and row.mean() < threshold for row in _rows(answers)], np.bool_
    )


CLASSIFICATION: Mapping[str, Gate] = {"CrossEntropy 0.5": cross_entropy(0.5)}
DETECTION: Mapping[str, Gate] = {
    "IBT 0.5/0.5": ibt(0.5, 0.5),
    "IBT 0.9/0.9": ibt(0.9, 0.9),
    "Threshold 0.5": mean_below(0.5),
}


def _rows(answers: Answers) -> list[NDArray[np.float64]]:
    return list(answers.scores or ())
