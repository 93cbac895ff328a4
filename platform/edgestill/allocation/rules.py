"""How bad one signal is: bounds, hysteresis, pressure. Total over every float, None and NaN."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Protocol

from edgestill.config import ThresholdsConfig

TITLES: Mapping[str, str] = {
    "cpu_ratio": "cpu",
    "free_memory_bytes": "free memory",
    "battery_ratio": "battery",
    "temperature_c": "temperature",
}
"""What reasons call each signal, in the order in which they name them."""


class Readings(Protocol):
    """The four signals of a group or the vitals of a device."""

    @property
    def cpu_ratio(self) -> float | None:
        """Return the share of the CPU that others ask for, 0..1."""

    @property
    def free_memory_bytes(self) -> float | None:
        """Return what a training process may use."""

    @property
    def battery_ratio(self) -> float | None:
        """Return the charge, 0..1."""

    @property
    def temperature_c(self) -> float | None:
        """Return the temperature of the part that throttles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The three bounds of one signal, where medium, low and critical begin.

    Attributes:
        title: what a reason calls the signal.
        bounds: sorted from the mildest on.
        sign: 1 if high values are bad, -1 if low ones are.
        hysteresis_ratio: how far past a bound, as a share of it, a signal must be to clear it.
        best: the best value that the signal can take; a bound is never cleared only beyond it.
    """

    title: str
    bounds: tuple[float, ...]
    sign: int
    hysteresis_ratio: float
    best: float

    def severity(self, value: float) -> int:
        """Return the number of bounds that the value is beyond, 0..3."""
        return sum(self.sign * value > self.sign * bound for bound in self.bounds)

    def held_severity(self, value: float) -> int:
        """Return the number of bounds that the value has not cleared, at least its severity."""
        return sum(not self.clears(value, bound) for bound in self.bounds)

    def clears(self, value: float, bound: float) -> bool:
        """Return whether the value is on the good side of a bound by the hysteresis."""
        return self.sign * value <= self.sign * self.clear_at(bound)

    def clear_at(self, bound: float) -> float:
        """Return the value from which a bound is cleared."""
        shifted = bound - self.sign * self.hysteresis_ratio * abs(bound)
        return self.sign * max(self.sign * shifted, self.sign * self.best)

    def pressure(self, value: float) -> float:
        """Return 0 up to the mildest bound, 1 from the worst on, linear between."""
        mild, worst = self.bounds[0], self.bounds[-1]
        if self.sign * value <= self.sign * mild:
            return 0.0
        if self.sign * value >= self.sign * worst:
            return 1.0
        return (value - mild) / (worst - mild)


@lru_cache(maxsize=16)
def rules(thresholds: ThresholdsConfig) -> Mapping[str, Rule]:
    """Return the rule of each signal by its name, in the order in which reasons name them."""

    def rule(name: str, bounds: tuple[float, ...], sign: int, best: float) -> Rule:
        return Rule(
            title=TITLES[name],
            bounds=tuple(sorted(bounds, reverse=sign < 0)),
            sign=sign,
            hysteresis_ratio=thresholds.hysteresis_ratio,
            best=best,
        )

    by_name = {
        "cpu_ratio": rule("cpu_ratio", thresholds.cpu_ratio, 1, 0.0),
        "free_memory_bytes": rule("free_memory_bytes", thresholds.free_memory_bytes, -1, math.inf),
        "battery_ratio": rule("battery_ratio", thresholds.battery_ratio, -1, 1.0),
        "temperature_c": rule("temperature_c", thresholds.temperature_c, 1, -math.inf),
    }
    return MappingProxyType(by_name)


def known(readings: Readings) -> dict[str, float]:
    """Return the signals that hold a number, by name; None, NaN and infinities are left out."""
    values: Mapping[str, float | None] = {
        "cpu_ratio": readings.cpu_ratio,
        "free_memory_bytes": readings.free_memory_bytes,
        "battery_ratio": readings.battery_ratio,
        "temperature_c": readings.temperature_c,
    }
    return {
        name: float(value)
        for name, value in values.items()
        if value is not None and math.isfinite(value)
    }


def pressure(thresholds: ThresholdsConfig, readings: Readings) -> float:
    """Return the resource pressure r in 0..1 that drives the loss coefficients of RA-CMKD.

    The largest pressure of CPU, memory, battery and temperature: 0 while every signal asks for
    high, 1 from the bound of critical on. Without any signal it is 1, the safe assumption.
    """
    by_name = rules(thresholds)
    values = known(readings)
    return max((by_name[name].pressure(value) for name, value in values.items()), default=1.0)


def compared(name: str, value: float, bound: float) -> tuple[str, str]:
    """Return a value and a bound in the unit that people read, with digits enough to differ."""
    scale, unit, fewest = {
        "free_memory_bytes": (1e-6, " MB", 1),
        "temperature_c": (1.0, " C", 1),
    }.get(name, (1.0, "", 2))
    for digits in range(fewest, 9):
        texts = tuple(f"{number * scale:.{digits}f}{unit}" for number in (value, bound))
        if texts[0] != texts[1]:
            break
    return texts[0], texts[1]
