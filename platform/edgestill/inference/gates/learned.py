"""Hardness that is learned: temperature scaling, and a regression on what the cloud would mend."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression

from edgestill.inference.gates.answers import Answers, Floats, classified
from edgestill.inference.gates.hardness import least_confidence, normalised_entropy, smallest_margin

_HIGHEST_TEMPERATURE = 20.0


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


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedHardness:
    """The probability that only the cloud gets an input right, from what the edge answered.

    A logistic regression on confidence, entropy, margin and the answered class (as in Behera et
    al., arXiv 2406.09424, with logistic regression after the edge model).

    Attributes:
        weights: of each feature, [3 + K].
        bias: of the regression.
    """

    weights: Floats
    bias: float

    def __call__(self, answers: Answers) -> Floats:
        """Return the probability of each input, 0..1."""
        values: Floats = 1.0 / (1.0 + np.exp(-(features_of(answers) @ self.weights + self.bias)))
        return values


def learn_hardness(
    answers: Answers, edge_right: NDArray[np.bool_], cloud_right: NDArray[np.bool_]
) -> LearnedHardness:
    """Fit on validation data which inputs gain by being offloaded.

    Where every input gains, or none does, there is nothing to tell apart: all are equally hard.

    Args:
        answers: of the edge, N inputs.
        edge_right: [N], whether the edge answered rightly.
        cloud_right: [N], whether the cloud did.
    """
    gains = ~np.asarray(edge_right, bool) & np.asarray(cloud_right, bool)
    features = features_of(answers)
    if gains.all() or not gains.any():
        return LearnedHardness(weights=np.zeros(features.shape[1]), bias=0.0)
    fitted = LogisticRegression(C=1.0, max_iter=1000).fit(features, gains)
    return LearnedHardness(weights=fitted.coef_[0], bias=float(fitted.intercept_[0]))


def features_of(answers: Answers) -> Floats:
    """Return [N, 3 + K]: confidence, entropy and margin as doubts, and the answered class."""
    doubts = [rule(answers) for rule in (least_confidence, normalised_entropy, smallest_margin)]
    p = answers.probabilities_NK
    answered = np.zeros((len(answers), 0)) if p is None else np.eye(p.shape[1])[p.argmax(axis=1)]
    return np.column_stack([*doubts, answered])
