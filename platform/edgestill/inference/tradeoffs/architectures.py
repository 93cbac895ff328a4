"""The three architectures of ECCENTRIC, as choices among ways of answering.

Kamani, Cheng and Chen (arXiv 2511.11719) name them; their rules are not published. Here
*Independent* sends the input, *Adaptive* the device's features, and *Dynamic* picks for each input
among answering at the edge, features at any rate, and the input.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from edgestill.inference.gates import Answers, Curve, curve
from edgestill.inference.gates.learned import features_of
from edgestill.inference.tradeoffs.outcomes import Floats, Outcomes, Point, Way, point

Choice = NDArray[np.int64]


def gated(
    outcomes: Outcomes, way: Way, hardness: Floats, thresholds: Sequence[float]
) -> list[Point]:
    """Return the points of a gate that hands hard inputs on in one way.

    With the whole input this is Independent, with features of one rate Adaptive.

    Args:
        outcomes: of N inputs.
        way: one of ``outcomes.ways``.
        hardness: [N], by the gate.
        thresholds: above each of which an input is handed on.
    """
    place = next(n for n, one in enumerate(outcomes.ways) if one is way)
    return [
        point(way.name, outcomes, np.where(hardness > threshold, place, 0))
        for threshold in thresholds
    ]


def gate_curve(outcomes: Outcomes, way: Way, hardness: Floats) -> Curve:
    """Return all that a gate can do on these inputs with one way of handing on."""
    return curve(hardness, outcomes.edge.right, way.right)


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicPolicy:
    """Picks, for each input, the way that is worth most by what the device answered.

    The worth of a way is its predicted rightness minus ``byte_price`` times its bytes minus
    ``flop_price`` times its operations on the device and in the cloud.

    Attributes:
        weights: [W, F] of the W ways' logistic regressions, on F features of an answer.
        biases: [W].
        bytes_sent: [W], expected.
        flops: [W].
    """

    weights: Floats
    biases: Floats
    bytes_sent: Floats
    flops: Floats

    def choose(self, answers: Answers, *, byte_price: float, flop_price: float) -> Choice:
        """Return the place of each input's way in ``outcomes.ways``; of equals the cheapest."""
        predicted = _logistic(features_of(answers) @ self.weights.T + self.biases)
        worth = predicted - byte_price * self.bytes_sent - flop_price * self.flops
        return np.asarray(worth.argmax(axis=1), np.int64)


def learn_dynamic(answers: Answers, outcomes: Outcomes) -> DynamicPolicy:
    """Learn on validation data how right each way will be, from what the device answered.

    Args:
        answers: of the device.
        outcomes: of the same inputs.
    """
    features = features_of(answers)
    fitted = [_regression(features, way.right) for way in outcomes.ways]
    return DynamicPolicy(
        weights=np.stack([weights for weights, _ in fitted]),
        biases=np.array([bias for _, bias in fitted]),
        bytes_sent=np.array([way.bytes_sent.mean() for way in outcomes.ways]),
        flops=np.array([way.edge_flops + way.cloud_flops for way in outcomes.ways]),
    )


def dynamic_choices(
    policy: DynamicPolicy, answers: Answers, prices: Sequence[tuple[float, float]]
) -> Iterator[Choice]:
    """Yield the choice at each pair of a byte's and an operation's price."""
    for byte_price, flop_price in prices:
        yield policy.choose(answers, byte_price=byte_price, flop_price=flop_price)


def _regression(features: Floats, right: Floats) -> tuple[Floats, float]:
    """Fit a way's probability of being right; one that always or never is has no weights."""
    weight = np.concatenate([right, 1.0 - right])
    targets = np.repeat([1, 0], len(right))
    if not 0.0 < right.mean() < 1.0:
        return np.zeros(features.shape[1]), float(np.where(right.mean() > 0.5, 20.0, -20.0))
    both = np.concatenate([features, features])
    fitted = LogisticRegression(C=1.0, max_iter=1000).fit(both, targets, sample_weight=weight)
    return fitted.coef_[0], float(fitted.intercept_[0])


def _logistic(values: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-values)))
