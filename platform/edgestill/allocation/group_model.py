"""One group's time, energy and loss, as learned from what its devices reported.

Time. A device is expected to take ``a x + b y + c`` seconds: x, y and c are what its profile and
the group's signals say that computing, sending and the round trips take. The factors a and b, 1 at
first, are learned by recursive least squares with forgetting (Haykin, "Adaptive filter theory",
chapter 10) on relative errors, and ridge towards 1. What remains is taken as lognormal; its spread
is learned from the errors of the forecasts that were made.

Energy. One factor on what the profile's powers give for these times, smoothed over rounds.

Shape letters: n devices, l levels.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgestill.allocation.forecast import Floats

FORGETTING = 0.5
"""A round counts half as much as the next one: links and loads change within a few rounds."""

PRIOR_WEIGHT = 0.05
"""What the profile's own word counts, in rounds."""

FIRST_SPREAD = 0.2
"""Standard deviation of the logarithm of a device's time before anything is known."""

LEAST_SPREAD = 0.03
_FACTORS = (0.05, 50.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What the devices of one group reported of a round, n of them.

    Attributes:
        nominal_s: [n, 2] what computing and sending should have taken, as far as they were done.
        fixed_s: [n] what the round trips took.
        duration_s: [n] what it took.
        energy_j: [n] what was spent above idle.
        power_w: of computing and of the radio, as the profile says.
        loss: mean task loss of those that trained; None if nobody did.
        worth_l: [L] utility that came in time by level, weighed by its epochs and bits.
        utility: of all that were asked.
    """

    nominal_s: Floats
    fixed_s: Floats
    duration_s: Floats
    energy_j: Floats
    power_w: tuple[float, float]
    loss: float | None
    worth_l: Floats
    utility: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupModel:
    """One group's time, energy and loss, as learned so far.

    Attributes:
        normal: [2, 2] discounted sum of squares of the relative times.
        moment: [2] discounted sum of their products with what was observed.
        variance: of the logarithm of observed over foretold time.
        energy_ratio: observed over foretold energy.
        loss: mean task loss of its devices, None before the first.
    """

    normal: Floats
    moment: Floats
    variance: float = FIRST_SPREAD**2
    energy_ratio: float = 1.0
    loss: float | None = None

    @classmethod
    def first(cls) -> "GroupModel":
        """Return what is known before the first round."""
        return cls(normal=np.zeros((2, 2)), moment=np.zeros(2))

    @property
    def factors(self) -> Floats:
        """Return a and b, what computing and sending take of their nominal times [2]."""
        ridge = PRIOR_WEIGHT * np.eye(2)
        solved = np.linalg.solve(self.normal + ridge, self.moment + PRIOR_WEIGHT)
        return np.asarray(solved).clip(*_FACTORS)

    @property
    def spread(self) -> float:
        """Return the standard deviation of the logarithm of a device's time."""
        return max(math.sqrt(self.variance), LEAST_SPREAD)

    def after(self, seen: Observed) -> "GroupModel":
        """Return the model after one more round."""
        loss = self.loss if seen.loss is None else seen.loss
        real = (seen.duration_s > seen.fixed_s) & (seen.nominal_s.sum(axis=1) > 0)
        if not real.any():
            return replace(self, loss=loss)
        nominal_s, fixed_s, duration_s = (
            array[real] for array in (seen.nominal_s, seen.fixed_s, seen.duration_s)
        )
        whole_s = nominal_s.sum(axis=1)
        rows, targets = nominal_s / whole_s[:, None], (duration_s - fixed_s) / whole_s
        errors = np.log(duration_s / (nominal_s @ self.factors + fixed_s))
        learned = replace(
            self,
            normal=FORGETTING * self.normal + rows.T @ rows / len(rows),
            moment=FORGETTING * self.moment + rows.T @ targets / len(rows),
            variance=FORGETTING * self.variance + (1 - FORGETTING) * float((errors**2).mean()),
            loss=loss,
        )
        link_s = nominal_s[:, 1] * learned.factors[1] + fixed_s
        foretold_j = (
            seen.power_w[0] * nominal_s[:, 0] * learned.factors[0] + seen.power_w[1] * link_s
        )
        ratio = float(seen.energy_j[real].sum() / foretold_j.sum())
        return replace(
            learned, energy_ratio=FORGETTING * self.energy_ratio + (1 - FORGETTING) * ratio
        )

    def to_plain(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return {
            "normal": self.normal.tolist(),
            "moment": self.moment.tolist(),
            "variance": self.variance,
            "energy_ratio": self.energy_ratio,
            "loss": self.loss,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "GroupModel":
        """Return the model that :meth:`to_plain` wrote."""
        return cls(
            normal=np.array(plain["normal"], float).reshape(2, 2),
            moment=np.array(plain["moment"], float).reshape(2),
            variance=float(plain["variance"]),
            energy_ratio=float(plain["energy_ratio"]),
            loss=None if plain["loss"] is None else float(plain["loss"]),
        )
