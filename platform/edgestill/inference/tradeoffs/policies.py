"""Rules that pick a way for each input from what the device answered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edgestill.inference.gates import Answers, Hardness
from edgestill.inference.gates.learned import features_of, fitted_regression, logistic
from edgestill.inference.tradeoffs.outcomes import Choice, Floats, Outcomes, Way

Basis = Callable[[Answers], Floats]
"""What a policy goes by: answers of N inputs to values [N, ...], the same for the same answers."""


class Policy(Protocol):
    """Anything that chooses among the ways of outcomes."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def basis(self) -> Basis:
        """What it goes by; many policies may share one."""
        ...

    def choose_by(self, values: Floats) -> Choice:
        """Return [N], the place of each input's way, by what the basis says."""
        ...

    def choose(self, answers: Answers) -> Choice:
        """Return [N], the place of each input's way."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePolicy:
    """Hands on in one way what is harder than a threshold.

    Attributes:
        name: for people.
        place: of the way in ``Outcomes.ways``.
        hardness: what the gate goes by.
        threshold: above it an input is handed on.
    """

    name: str
    place: int
    hardness: Hardness
    threshold: float

    @property
    def basis(self) -> Basis:
        """The hardness."""
        return self.hardness

    def choose_by(self, values: Floats) -> Choice:
        """Return [N], 0 for what stays at the edge, by hardness [N]."""
        return np.where(values > self.threshold, self.place, 0)

    def choose(self, answers: Answers) -> Choice:
        """Return [N], 0 for what stays at the edge."""
        return self.choose_by(self.basis(answers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What each way is worth for an input, learned from what the device answered.

    Attributes:
        weights: [W, F] of the W ways' logistic regressions, on F features of an answer.
        biases: [W].
        bytes_sent: [W], expected.
        flops: [W], on the device and in the cloud.
    """

    weights: Floats
    biases: Floats
    bytes_sent: Floats
    flops: Floats

    def __call__(self, answers: Answers) -> Floats:
        """Return [N, W], how right each way is expected to be."""
        return self.of(features_of(answers))

    def of(self, features_NF: Floats) -> Floats:  # noqa: N803 - shape letters
        """Return [N, W] of answers' features."""
        return logistic(features_NF @ self.weights.T + self.biases)


def learn_worth(answers: Answers, outcomes: Outcomes) -> Worth:
    """Learn on validation data how right each way will be, from what the device answered.

    Args:
        answers: of the device.
        outcomes: of the same inputs.
    """
    return fitted_worth(features_of(answers), outcomes.shares_WN(), outcomes.ways)


def fitted_worth(
    features_NF: Floats,  # noqa: N803 - shape letters
    shares_WN: Floats,  # noqa: N803
    ways: Sequence[Way],
) -> Worth:
    """Return the worth of W ways by how right they are for N inputs, whose answers show features.

    Args:
        features_NF: of the device's answers.
        shares_WN: how right each way is, 0..1.
        ways: what they cost.
    """
    fitted = [fitted_regression(features_NF, shares) for shares in shares_WN]
    return Worth(
        weights=np.stack([weights for weights, _ in fitted]),
        biases=np.array([bias for _, bias in fitted]),
        bytes_sent=np.array([way.bytes_sent.mean() for way in ways]),
        flops=np.array([way.edge_flops + way.cloud_flops for way in ways]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedPolicy:
    """Picks, for each input, the way that is worth most after its costs.

    The worth of a way is how right it is expected to be, minus ``byte_price`` times its bytes,
    minus ``flop_price`` times its operations on the device and in the cloud.

    Attributes:
        worth: of each way.
        byte_price, flop_price: in rightness, at least 0.
        places: of the ways that may be picked, ascending; of equals the first is picked.
    """

    worth: Worth
    byte_price: float
    flop_price: float
    places: Sequence[int]

    @property
    def name(self) -> str:
        """For people."""
        ways = " ".join(map(str, self.places))
        return f"dynamic of ways {ways}, {self.byte_price:.3g}/byte, {self.flop_price:.3g}/FLOP"

    @property
    def basis(self) -> Basis:
        """What each way is worth."""
        return self.worth

    def choose_by(self, values: Floats) -> Choice:
        """Return [N], the place of each input's way, by how right each way will be [N, W]."""
        places = list(self.places)
        costs = self.byte_price * self.worth.bytes_sent + self.flop_price * self.worth.flops
        best: Choice = np.asarray(places)[(values - costs)[:, places].argmax(axis=1)]
        return best

    def choose(self, answers: Answers) -> Choice:
        """Return [N], the place of each input's way."""
        return self.choose_by(self.basis(answers))
