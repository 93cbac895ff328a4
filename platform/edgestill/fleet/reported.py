"""What real devices said of themselves: it stands in place of their traces."""

import numpy as np
from numpy.typing import NDArray

from edgestill.fleet.spend import Vitals

Floats = NDArray[np.float64]

READINGS = ("cpu_ratio", "free_memory_bytes", "battery_ratio", "temperature_c")
"""The vitals that a machine can read of itself; its link it does not know."""


class Reported:
    """The newest readings of each device that has eyes of its own."""

    def __init__(self) -> None:
        self._readings: dict[int, tuple[float, ...]] = {}
        self._sorted: NDArray[np.int64] | None = np.array([], np.int64)

    def take(self, device: int, vitals: Vitals) -> None:
        """Keep what a device reported."""
        if device not in self._readings:
            self._sorted = None
        self._readings[device] = tuple(getattr(vitals, name) for name in READINGS)

    def charged(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the devices, ascending, and whether each has any charge left."""
        column, devices = READINGS.index("battery_ratio"), self._devices()
        charges = [self._readings[device][column] for device in devices.tolist()]
        return devices, np.array(charges) > 0

    def lay_over(self, devices: NDArray[np.int64], columns: Floats) -> None:
        """Put what was reported in the place of the first rows of ``columns`` [6, n]."""
        if not self._readings:
            return
        for place in np.flatnonzero(np.isin(devices, self._devices())).tolist():
            columns[: len(READINGS), place] = self._readings[int(devices[place])]

    def _devices(self) -> NDArray[np.int64]:
        # Sorted when asked for: thousands may report between two questions.
        if self._sorted is None:
            self._sorted = np.array(sorted(self._readings), np.int64)
        return self._sorted


def mean_of_known(columns: Floats) -> Floats:
    """Return the mean of each row [rows] over what is no NaN; NaN where nothing is known."""
    known = ~np.isnan(columns)
    counts = known.sum(axis=1)
    filled = np.where(known, columns, 0.0)
    mean = np.full(len(columns), np.nan)
    np.divide(filled.sum(axis=1), counts, out=mean, where=counts > 0)
    # Rounding must not carry the mean of equal values over a threshold.
    low = np.where(known, columns, np.inf).min(axis=1)
    high = np.where(known, columns, -np.inf).max(axis=1)
    return np.where(counts > 0, mean.clip(low, high), np.nan)
