"""Which rows of its own and of the public samples a device sees at which step."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgestill.training.batches import batches
from edgestill.training.work import LocalWork

Rows = NDArray[np.int64]

_NOBODY: Rows = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Rows of each step, [n] of the device's own samples and [m] of the public ones."""

    own: tuple[Rows, ...]
    public: tuple[Rows, ...]

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.own)

    @property
    def longest(self) -> tuple[int, int]:
        """The most own and the most public rows of any step."""
        return max(map(len, self.own)), max(map(len, self.public))


def schedule(own: int, public: int, work: LocalWork, batch_size: int) -> Schedule:
    """Deal a device's rows to its steps, from its seed.

    Each epoch has as many steps as the own samples need at ``batch_size``. It shows every own and
    every public sample once, in an order of its own; under private training, each step takes each
    own sample with probability 1 / steps, independently (Poisson sampling), which is what the
    account of the privacy supposes.
    """
    rng = np.random.default_rng(work.seed)
    steps = steps_per_epoch(own, batch_size)
    own_rows: list[Rows] = []
    public_rows: list[Rows] = []
    for _ in range(work.epochs):
        if work.sample_privacy is None:
            own_rows += batches(own, steps, rng)
        else:
            own_rows += [np.flatnonzero(rng.random(own) < 1.0 / steps) for _ in range(steps)]
        public_rows += batches(public, steps, rng) if public else [_NOBODY] * steps
    return Schedule(own=tuple(own_rows), public=tuple(public_rows))


def longest_rows(own: int, public: int, work: LocalWork, batch_size: int) -> tuple[int, int]:
    """Return the most own and the most public rows of any step, drawing no order if need be."""
    if work.sample_privacy is not None:
        return schedule(own, public, work, batch_size).longest
    steps = steps_per_epoch(own, batch_size)
    return -(-own // steps), -(-public // steps)


def steps_per_epoch(own: int, batch_size: int) -> int:
    """Return ceil(own / batch_size)."""
    return -(-own // batch_size)


def expected_batch(own: int, batch_size: int) -> float:
    """Return the mean number of own samples in a step."""
    return own / steps_per_epoch(own, batch_size)
