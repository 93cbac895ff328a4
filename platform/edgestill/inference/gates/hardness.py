"""How hard an input looks to the edge model: 0 is easy, 1 is hard.

A gate offloads what is harder than its threshold (:mod:`edgestill.inference.gates.calibrate`).
The rules of KubeEdge Sedna's hard example mining are here without their faults: an image without
any detection can be hard, and the entropy of a probability of 0 is no logarithm of zero.
"""

from collections.abc import Callable

import numpy as np

from edgestill.errors import InputError
from edgestill.inference.gates.answers import Answers, Floats

Hardness = Callable[[Answers], Floats]
"""Answers of N inputs to N values in 0..1; pure, so that a gate repeats itself."""


def least_confidence(answers: Answers) -> Floats:
    """Return 1 minus the largest probability (Hendrycks & Gimpel, ICLR 2017)."""
    doubts: Floats = 1.0 - _probabilities(answers).max(axis=1)
    return doubts


def normalised_entropy(answers: Answers) -> Floats:
    """Return the entropy of the answer over the most it can be; Sedna's CrossEntropy is 1 - it.

    With a single class there is nothing to doubt, and the entropy is 0.
    """
    p = _probabilities(answers)
    if p.shape[1] == 1:
        return np.zeros(len(p))
    logarithms = np.log(np.where(p > 0.0, p, 1.0))
    entropies: Floats = -(p * logarithms).sum(axis=1) / np.log(p.shape[1])
    return entropies


def smallest_margin(answers: Answers) -> Floats:
    """Return 1 minus the lead of the likeliest class over the next."""
    p = _probabilities(answers)
    if p.shape[1] == 1:
        return np.zeros(len(p))
    ordered = np.sort(p, axis=1)
    margins: Floats = 1.0 - (ordered[:, -1] - ordered[:, -2])
    return margins


def unsure_boxes(box_threshold: float = 0.5) -> Hardness:
    """Return Sedna's IBT as a hardness: the share of an image's boxes that are not confident.

    Where nothing was found the image may hide everything that was missed: its hardness is 1.

    Args:
        box_threshold: a box with a confidence up to it is not confident; 0..1.
    """

    def hardness(answers: Answers) -> Floats:
        return np.array(
            [np.mean(row <= box_threshold) if len(row) else 1.0 for row in _scores(answers)]
        )

    return hardness


def mean_box_doubt(answers: Answers) -> Floats:
    """Return 1 minus the mean confidence of an image's boxes (Sedna's Threshold); 1 without any."""
    return np.array([1.0 - row.mean() if len(row) else 1.0 for row in _scores(answers)])


def box_variance(answers: Answers) -> Floats:
    """Return how unsure an image's count of objects is: v / (1 + v) of the variance v it announces.

    A box of confidence s is there or not with variance s (1 - s). A cloud mends what an image has
    of unsure boxes, many or few, and mean average precision counts objects, so that this sum ranks
    images better than a share or a mean. An image without any box is the easiest here: give it
    boxes down to a low confidence.
    """
    variances: Floats = np.array([(row * (1.0 - row)).sum() for row in _scores(answers)])
    shares: Floats = variances / (1.0 + variances)
    return shares


def at_random(seed: int) -> Hardness:
    """Return a hardness that knows nothing: uniform in 0..1, the same for the same seed."""
    return lambda answers: np.random.default_rng(seed).random(len(answers))


def oracle(edge_right: Floats, cloud_right: Floats) -> Floats:
    """Return the order of an all-knowing gate: first what only the cloud gets right.

    Args:
        edge_right: of each input, how right the edge is, 0..1 (0 or 1 for a class; an image's own
            average precision for a detection).
        cloud_right: the same of the cloud.

    Returns:
        1 where the cloud gains most, 0.5 where both are alike, 0 where it loses most.
    """
    gains: Floats = (np.asarray(cloud_right, float) - np.asarray(edge_right, float) + 1.0) / 2.0
    return gains


def _probabilities(answers: Answers) -> Floats:
    if answers.probabilities_NK is None:
        raise InputError(
            "gate: this rule needs class probabilities; for detections use unsure_boxes"
        )
    return answers.probabilities_NK


def _scores(answers: Answers) -> list[Floats]:
    if answers.scores is None:
        raise InputError("gate: this rule needs box scores; for classes use least_confidence")
    return list(answers.scores)
