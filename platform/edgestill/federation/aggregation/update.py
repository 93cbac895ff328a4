"""What travels upwards is an algebra: updates become sums, sums add, a sum becomes a mean.

Law: addition is associative and commutative *exactly*, because sums are kept in fixed point
(64-bit integers). However devices are spread over actors, in whatever order they finish and however
often they are run again, the mean has the same bits.

A device that trains some modalities or a leading block of each layer gives arrays of its own
shapes; the mean is taken element by element over those who trained the element (HeteroFL, Diao et
al., ICLR 2021, eq. 3).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from operator import gt

import numpy as np
from numpy.typing import NDArray

from edgestill.errors import FrameError, RunError
from edgestill.models.variant import Arrays

FRACTION_BITS = 32
"""Resolution of a sum is 2^-32, finer than float32 around the magnitudes of an update."""

LARGEST_WEIGHTED_VALUE = 2 ** (62 - FRACTION_BITS)
"""Weight times largest magnitude that still adds without overflow."""

BlockKey = tuple[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One device's change of the arrays that it trained.

    Attributes:
        delta: name to float32 array of the variant's shape: trained minus received.
        examples: its weight, the number of own samples, at least 1.
    """

    delta: Arrays
    examples: int

    def check_blocks(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Refuse an update that is not made of leading blocks of the full arrays.

        Raises:
            FrameError: naming the first array that is not.
        """
        for name, delta in self.delta.items():
            full = shapes.get(name)
            if full is None or len(full) != delta.ndim or any(map(gt, delta.shape, full)):
                raise FrameError(f"update of {name} {delta.shape}; the model has {full}")


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Weighted sums of updates, by name and block shape.

    Attributes:
        sums: (name, block shape) to int64 array, sum of examples x delta in fixed point.
        weights: (name, block shape) to the sum of examples.
        magnitude: bound on the largest absolute value in ``sums``, in their units, to refuse an
            overflow.
        updates: how many updates are in it.
    """

    sums: Mapping[BlockKey, NDArray[np.int64]]
    weights: Mapping[BlockKey, int]
    magnitude: int
    updates: int

    @classmethod
    def zero(cls) -> "Aggregate":
        """Return the neutral element."""
        return cls({}, {}, 0, 0)

    @classmethod
    def of(cls, update: Update, share: float = 1.0) -> "Aggregate":
        """Lift one update, of which ``share`` (0..1) is to count.

        What is held back moves nothing: the weights still sum whole examples.

        Raises:
            RunError: a value is too large to be summed, or not a number.
        """
        # All arrays in one go: most are so small that to call numpy takes longer than to compute.
        flat = np.concatenate([np.zeros(0), *(delta.ravel() for delta in update.delta.values())])
        flat *= update.examples * share
        np.rint(flat * 2.0**FRACTION_BITS, out=flat)
        magnitude = float(np.max(np.abs(flat), initial=0.0))
        _refuse_overflow(magnitude)
        values, start = flat.astype(np.int64), 0
        sums: dict[BlockKey, NDArray[np.int64]] = {}
        for name, delta in update.delta.items():
            sums[name, delta.shape] = values[start : start + delta.size].reshape(delta.shape)
            start += delta.size
        return cls(sums, dict.fromkeys(sums, update.examples), int(magnitude), 1)

    def __add__(self, other: "Aggregate") -> "Aggregate":
        """Return the sum of both; neither is changed.

        Raises:
            RunError: the sum could overflow.
        """
        magnitude = self.magnitude + other.magnitude
        _refuse_overflow(magnitude)
        keys = {**self.sums, **other.sums}
        return Aggregate(
            {key: _added(self.sums.get(key), other.sums.get(key)) for key in keys},
            {key: self.weights.get(key, 0) + other.weights.get(key, 0) for key in keys},
            magnitude,
            self.updates + other.updates,
        )

    def mean(self, shapes: Mapping[str, tuple[int, ...]]) -> Arrays:
        """Return name to the mean change of the full arrays; 0 where nobody trained.

        Args:
            shapes: name to the full shape.
        """
        return {name: self._mean_of(name, shape) for name, shape in shapes.items()}

    def _mean_of(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        total = np.zeros(shape, np.int64)
        weight = np.zeros(shape, np.int64)
        for (owner, block), values in self.sums.items():
            if owner == name:
                where = tuple(slice(length) for length in block)
                total[where] += values
                weight[where] += self.weights[owner, block]
        mean = total / 2.0**FRACTION_BITS / np.maximum(weight, 1)
        return np.asarray(mean, np.float32)


def _added(left: NDArray[np.int64] | None, right: NDArray[np.int64] | None) -> NDArray[np.int64]:
    if left is None or right is None:
        present = right if left is None else left
        return np.zeros(0, np.int64) if present is None else present
    return np.asarray(left + right)


def _refuse_overflow(magnitude: float) -> None:
    # Written so that NaN, which is neither more nor less, is refused too.
    if not magnitude <= LARGEST_WEIGHTED_VALUE * 2**FRACTION_BITS:
        raise RunError(
            f"updates times examples add up to {magnitude / 2**FRACTION_BITS:g}, beyond "
            f"{LARGEST_WEIGHTED_VALUE:g}; lower privacy.update_clip_norm"
        )
