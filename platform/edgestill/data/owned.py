"""Which rows each device holds, without an array for each device."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgestill.seeds import generator

Positions = NDArray[np.int64]


class Owned(Protocol):
    """The rows of every device of a population, 0 to N - 1, in the order of devices."""

    def __len__(self) -> int:
        """Return N."""

    def __getitem__(self, device: int, /) -> Positions:
        """Return a device's rows, ascending; raises IndexError for a device that is none."""

    def __iter__(self) -> Iterator[Positions]:
        """Return each device's rows."""

    def size_of(self, device: int) -> int:
        """Return how many rows a device holds, without making them."""

    def within(self, rows: Positions) -> "Owned":
        """Return the same where every position stands for the row of that position in ``rows``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dealt:
    """Each row to one device: device d holds ``rows[offsets[d] : offsets[d + 1]]``.

    Attributes:
        rows: the smallest unsigned type that holds them, [n].
        offsets: int64 [N + 1].
    """

    rows: NDArray[np.unsignedinteger[Any]]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, owner: NDArray[np.int64], devices: int) -> "Dealt":
        """Return what each of ``devices`` devices holds, given each position's device [n]."""
        order = np.argsort(owner, kind="stable")
        ends = np.cumsum(np.bincount(owner, minlength=devices), dtype=np.int64)
        return cls(rows=_small(order), offsets=np.concatenate(([0], ends)))

    def __len__(self) -> int:
        """Return the number of devices."""
        return len(self.offsets) - 1

    def __getitem__(self, device: int, /) -> Positions:
        """Return a device's rows."""
        _check(device, len(self))
        first, end = self.offsets[device : device + 2].tolist()
        return self.rows[first:end].astype(np.int64)

    def __iter__(self) -> Iterator[Positions]:
        """Return each device's rows."""
        return map(self.__getitem__, range(len(self)))

    def size_of(self, device: int) -> int:
        """Return how many rows a device holds."""
        _check(device, len(self))
        return int(self.offsets[device + 1] - self.offsets[device])

    def within(self, rows: Positions) -> "Dealt":
        """Return the same by the rows of another array, each device's ascending if those are."""
        return Dealt(rows=_small(rows[self.rows]), offsets=self.offsets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Each device's rows drawn anew from the seed whenever they are asked for; nothing is held.

    Attributes:
        rows: that are drawn from, ascending [n].
        devices: N; may be far above n.
        per_device: how many distinct rows each device holds, at most n.
        seed: of the draws.
    """

    rows: Positions
    devices: int
    per_device: int
    seed: int

    def __len__(self) -> int:
        """Return the number of devices."""
        return self.devices

    def __getitem__(self, device: int, /) -> Positions:
        """Draw a device's rows."""
        _check(device, self.devices)
        rng = generator(self.seed, "partition/draw", device=device)
        places = rng.choice(len(self.rows), self.per_device, replace=False, shuffle=False)
        return self.rows[np.sort(places)]

    def __iter__(self) -> Iterator[Positions]:
        """Draw each device's rows."""
        return map(self.__getitem__, range(self.devices))

    def size_of(self, device: int) -> int:
        """Return how many rows a device holds, without a draw."""
        _check(device, self.devices)
        return self.per_device

    def within(self, rows: Positions) -> "Drawn":
        """Return the same draws from other rows."""
        return Drawn(
            rows=rows[self.rows], devices=self.devices, per_device=self.per_device, seed=self.seed
        )


def _small(rows: NDArray[np.int64]) -> NDArray[np.unsignedinteger[Any]]:
    highest = int(rows.max(initial=0))
    return rows.astype(np.uint32 if highest < 2**32 else np.uint64)


def _check(device: int, devices: int) -> None:
    if not 0 <= device < devices:
        raise IndexError(f"device {device}: the population has 0..{devices - 1}")
