"""Comparing curves of accuracy against bytes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TOLERANCE = 0.005
"""How far below a wanted accuracy still counts as equal to it, where a curve ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The best accuracy for at most so many bytes: both ascend."""

    bytes: tuple[float, ...]
    accuracies: tuple[float, ...]

    @classmethod
    def of(cls, points: Sequence[tuple[float, float]]) -> "Curve":
        """Return the curve of (bytes, accuracy), without points that another one beats."""
        kept: list[tuple[float, float]] = []
        for size, accuracy in sorted(points, key=lambda one: (one[0], -one[1])):
            if not kept or accuracy > kept[-1][1]:
                kept.append((size, accuracy))
        return cls(bytes=tuple(b for b, _ in kept), accuracies=tuple(a for _, a in kept))

    def bytes_for(self, accuracy: float) -> float:
        """Return the bytes that an accuracy takes; infinite if it is out of reach.

        Between two points the logarithm of the bytes is linear in accuracy. Below the first, the
        first's bytes: nothing is extrapolated. The last counts as reaching what is at most half a
        point above it.
        """
        if not self.bytes or accuracy > self.accuracies[-1] + TOLERANCE:
            return float("inf")
        return float(np.exp(np.interp(accuracy, self.accuracies, np.log(self.bytes))))

    def accuracy_at(self, size: float) -> float:
        """Return the accuracy with so many bytes, flat above the last point and NaN below all."""
        if not self.bytes or size < self.bytes[0] * (1 - 1e-9):
            return float("nan")
        return float(np.interp(np.log(size), np.log(self.bytes), self.accuracies))


def gain(ours: Curve, theirs: Curve) -> float:
    """Return how much more accurate a curve is at equal bytes, 0..1.

    It is the mean difference over the logarithm of the bytes, from the fewest that both have a
    point for to the most that either has: Bjøntegaard's delta (ITU-T VCEG-M33) by trapezoids.
    """
    low = max(ours.bytes[0], theirs.bytes[0])
    high = max(ours.bytes[-1], theirs.bytes[-1])
    sizes = np.exp(np.linspace(np.log(low), np.log(high), 33))
    return float(np.mean([ours.accuracy_at(size) - theirs.accuracy_at(size) for size in sizes]))
