"""What a device may spend on asking others: by the same levels that bound what it trains.

A level's ``width`` bounds the rates as it bounds the model, and its ``participation`` the share of
the inputs that are handed on (``allocation.levels``; RA-CMKD, Cherian & Manoov). The level is that
of the device's battery and temperature (``allocation.thresholds``), which the radio spends; CPU and
memory bound what a device trains, and are spared where another tier answers.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from edgestill.allocation import Allocation, Level, allocation_of, refine
from edgestill.allocation.rules import Readings
from edgestill.config import AllocationConfig

READ_EVERY_S = 1.0
"""A device's vitals are read no more often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may be sent.

    Attributes:
        level: that it comes from.
        top_rate: the highest that may be used, 0 or more.
        share: most of the inputs handed on, 0..1, over a window.
    """

    level: Level
    top_rate: int
    share: float


def limits_of(allocation: Allocation, rates: int) -> Limits:
    """Return what an allocation lets a device send, of so many rates, at least 1."""
    return Limits(
        level=allocation.level,
        top_rate=max(0, math.ceil(allocation.width * rates) - 1),
        share=allocation.participation,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spent:
    """The vitals that asking others spends; the others are as if they had no sensor."""

    battery_ratio: float | None
    temperature_c: float | None
    cpu_ratio: None = None
    free_memory_bytes: None = None


class VitalsLimits:
    """Limits that follow a device's battery and temperature.

    Args:
        rates: how many there are, the whole input included; at least 1.
        read: the device's vitals, such as :meth:`edgestill.fleet.HostVitals.read`.
        config: levels and thresholds; its ``level`` is the best that the device may have.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        rates: int,
        read: Callable[[], Readings],
        *,
        config: AllocationConfig | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._rates = rates
        self._read = read
        self._config = config or AllocationConfig()
        self._clock = clock
        best = Level(self._config.level)
        self._best = allocation_of(self._config.levels, best, ("visual", "audio", "sensor"))
        self._until_s = -math.inf
        self._limits = limits_of(self._best, rates)

    def __call__(self) -> Limits:
        """Return the limits of now."""
        if self._clock() >= self._until_s:
            vitals = self._read()
            spent = _Spent(battery_ratio=vitals.battery_ratio, temperature_c=vitals.temperature_c)
            allocation = refine(self._best, spent, self._config)
            self._limits = limits_of(allocation, self._rates)
            self._until_s = self._clock() + READ_EVERY_S
        return self._limits
