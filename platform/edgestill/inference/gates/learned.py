"""Hardness that is learned: temperature scaling, and a regression on what the cloud would gain."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression

from edgestill.inference.gates.answers import Answers, Floats, classified
from edgestill.inference.gates.hardness import (
    Hardness,
    least_confidence,
    normalised_entropy,
    oracle,
    smallest_margin,
)

_HIGHEST_TEMPERATURE = 20.0
_SURE = 0.5
_DECADES = 6
"""Doubts below 10 to the minus so much are all alike."""


def fitted_temperature(logits_NK: NDArray[Any], labels_N: NDArray[Any]) -> float:  # noqa: N803
    """Return the temperature that makes validation answers likeliest (Guo et al., ICML 2017).

    Args:
        logits_NK: of the edge model on validation data.
        labels_N: 0..K-1.
    """
    rows = np.arange(len(labels_N))

    def loss(log_temperature: float) -> float:
        p = classified(logits_NK, float(np.exp(log_temperature))).probabilities_NK
        chosen = np.zeros(0) if p is None else p[rows, labels_N]
        return float(-np.log(np.maximum(chosen, 1e-300)).mean())

    bound = float(np.log(_HIGHEST_TEMPERATURE))
    return float(np.exp(minimize_scalar(loss, bounds=(-bound, bound), method="bounded").x))


def calibrated(temperature: float) -> Hardness:
    """Return 1 minus the largest probability, softened by a temperature above 0."""

    def hardness(answers: Answers) -> Floats:
        p = answers.probabilities_NK
        return least_confidence(answers if p is None else _softened(p, temperature))

    return hardness


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedHardness:
    """What the cloud is expected to gain over the edge, from what the edge answered.

    A logistic regression on :func:`features_of` (as in Behera et al., arXiv 2406.09424, with
    logistic regression after the edge model), here of the gain: an input that only the edge gets
    right counts against offloading those like it.

    Attributes:
        weights: of each feature, [F].
        bias: of the regression.
    """

    weights: Floats
    bias: float

    def __call__(self, answers: Answers) -> Floats:
        """Return the expected gain of each input, mapped from -1..1 to 0..1."""
        return logistic(features_of(answers) @ self.weights + self.bias)


def learn_hardness(
    answers: Answers, edge_right: NDArray[Any], cloud_right: NDArray[Any]
) -> LearnedHardness:
    """Fit on validation data how much inputs gain by being offloaded.

    Where every input gains alike there is nothing to tell apart: all are equally hard.

    Args:
        answers: of the edge, N inputs.
        edge_right: [N], how right the edge's answer is, 0..1.
        cloud_right: [N], the same of the cloud's.
    """
    weights, bias = fitted_regression(features_of(answers), oracle(edge_right, cloud_right))
    return LearnedHardness(weights=weights, bias=bias)


def fitted_regression(features_NF: Floats, targets_N: Floats) -> tuple[Floats, float]:  # noqa: N803
    """Return weights [F] and bias of a logistic regression on targets in 0..1.

    Of targets that are all alike there are no weights, and the bias gives back what they are.
    """
    if np.ptp(targets_N) == 0.0:
        mean = float(np.clip(targets_N[0], 1e-9, 1.0 - 1e-9))
        return np.zeros(features_NF.shape[1]), float(np.log(mean / (1.0 - mean)))
    # A target between 0 and 1 is a yes and a no, each with its share.
    both = np.concatenate([features_NF, features_NF])
    answers = np.repeat([1, 0], len(targets_N))
    shares = np.concatenate([targets_N, 1.0 - targets_N])
    fitted = LogisticRegression(C=1.0, max_iter=1000).fit(both, answers, sample_weight=shares)
    return fitted.coef_[0], float(fitted.intercept_[0])


def logistic(values: Floats) -> Floats:
    """Return 1 / (1 + exp(-value))."""
    return np.asarray(1.0 / (1.0 + np.exp(-values)))


def features_of(answers: Answers) -> Floats:
    """Return [N, F] of what an answer shows, each in 0..1.

    Of K classes F = 4 + K: confidence, entropy and margin as doubts, the logarithm of the first,
    and the answered class. Of detections F = 7, see :func:`_box_features`.
    """
    p = answers.probabilities_NK
    if p is None:
        return np.stack([_box_features(row) for row in answers.scores or ()])
    doubts = [rule(answers) for rule in (least_confidence, normalised_entropy, smallest_margin)]
    fine = 1.0 + np.log10(np.maximum(doubts[0], 10.0**-_DECADES)) / _DECADES
    return np.column_stack([*doubts, fine, np.eye(p.shape[1])[p.argmax(axis=1)]])


def _box_features(scores: Floats) -> Floats:
    """Return seven features of an image's boxes.

    Whether there are none, how many are confident and how many not, how many objects the
    confidences announce and with what variance, the mean doubt, and that of the most confident.
    What the cloud mends grows with counts, which are in tens up to one.
    """
    sure = scores > _SURE
    variance = 4.0 * (scores * (1.0 - scores)).sum()
    counts = [
        min(1.0, float(c) / 10.0) for c in (sure.sum(), (~sure).sum(), scores.sum(), variance)
    ]
    doubt = 1.0 - scores.mean() if len(scores) else 1.0
    least = 1.0 - scores.max() if len(scores) else 1.0
    return np.array([float(not len(scores)), *counts, doubt, least])


def _softened(p_NK: Floats, temperature: float) -> Answers:  # noqa: N803
    return classified(np.log(np.maximum(p_NK, 1e-300)), temperature)
