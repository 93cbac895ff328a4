"""Quantities over virtual time: load, availability, link.

A trace is a pure function of (seed, purpose, device, time): it can be read at any time in any
order, on any actor, and holds no history.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, assert_never

import numpy as np
from numpy.typing import NDArray

from edgestill.config import TraceConfig
from edgestill.errors import ConfigurationError
from edgestill.fleet.noise import uniform
from edgestill.fleet.table import read_table
from edgestill.seeds import derive_seed

# Octave o of the walk moves over 2^o steps: eight of them cover 1 to 128 steps, and the step of the
# first, a twentieth of the range, makes a device roam over about a third of it.
_OCTAVES = 8
_FIRST_AMPLITUDE = 0.05


class FleetTrace(Protocol):
    """One quantity of many devices."""

    @property
    def bounds(self) -> tuple[float, float]:
        """Return the lowest and the highest value that the trace can take."""

    def at(self, devices: NDArray[np.int64], time_s: float) -> NDArray[np.float64]:
        """Return the value of each device at a time, shape as ``devices`` [n]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One quantity of one device."""

    fleet: FleetTrace
    device: int

    def at(self, time_s: float) -> float:
        """Return the value at a virtual time in seconds."""
        return float(self.fleet.at(np.array([self.device]), time_s)[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """The same value always and for all."""

    value: float

    @property
    def bounds(self) -> tuple[float, float]:
        """Return the value twice."""
        return self.value, self.value

    def at(self, devices: NDArray[np.int64], time_s: float) -> NDArray[np.float64]:
        """Return the value for each device."""
        return np.full(len(devices), self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diurnal:
    """A raised cosine, the same for all: ``low`` at time 0, ``high`` half a period later."""

    low: float
    high: float
    period_s: float

    @property
    def bounds(self) -> tuple[float, float]:
        """Return low and high."""
        return self.low, self.high

    def at(self, devices: NDArray[np.int64], time_s: float) -> NDArray[np.float64]:
        """Return the value for each device."""
        phase = math.fmod(time_s, self.period_s) / self.period_s
        height = 0.5 - 0.5 * math.cos(2.0 * math.pi * phase)
        return np.full(len(devices), self.low + (self.high - self.low) * height)


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A bounded walk of each device for itself, reflected at ``low`` and ``high``.

    Not simulated step by step: it is fractal value noise (after Perlin, SIGGRAPH 1985), octaves of
    linearly interpolated hashed numbers whose amplitude grows with the square root of their period,
    as a random walk's displacement does up to the longest period of 128 steps. Each device starts
    from a number of its own, so that over the devices the values are uniform in [low, high].
    """

    low: float
    high: float
    step_s: float
    keys: tuple[int, ...]

    @property
    def bounds(self) -> tuple[float, float]:
        """Return low and high."""
        return self.low, self.high

    def at(self, devices: NDArray[np.int64], time_s: float) -> NDArray[np.float64]:
        """Return the value for each device."""
        place = 2.0 * uniform(self.keys[0], devices, 0)
        for octave, key in enumerate(self.keys[1:]):
            amplitude = _FIRST_AMPLITUDE * 2.0 ** (octave / 2)
            place += amplitude * _value_noise(key, devices, time_s / (self.step_s * 2.0**octave))
        height = 1.0 - np.abs(1.0 - np.mod(place, 2.0))
        values: NDArray[np.float64] = self.low + (self.high - self.low) * height
        return values.clip(self.low, self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Values that each hold from their time on; before the first time, the first value holds."""

    times_s: NDArray[np.float64]
    values: NDArray[np.float64]

    @property
    def bounds(self) -> tuple[float, float]:
        """Return the lowest and the highest value."""
        return float(self.values.min()), float(self.values.max())

    def at(self, devices: NDArray[np.int64], time_s: float) -> NDArray[np.float64]:
        """Return the value for each device."""
        index = max(int(np.searchsorted(self.times_s, time_s, side="right")) - 1, 0)
        return np.full(len(devices), self.values[index])


def fleet_trace(config: TraceConfig, *, seed: int, purpose: str) -> FleetTrace:
    """Return a quantity of all devices.

    Args:
        config: which curve.
        seed: the run's seed.
        purpose: what the quantity is, such as ``"load"``; two purposes never share a stream.

    Raises:
        ConfigurationError: ``steps`` whose times do not increase.
        DataError: a CSV file that cannot be read; file and line are named.
    """
    match config.kind:
        case "constant":
            return Constant(value=config.value)
        case "diurnal":
            return Diurnal(low=config.low, high=config.high, period_s=config.period_s)
        case "walk":
            names = ["start", *(f"octave{octave}" for octave in range(_OCTAVES))]
            keys = tuple(derive_seed(seed, f"trace/{purpose}/{name}") for name in names)
            return Walk(low=config.low, high=config.high, step_s=config.step_s, keys=keys)
        case "steps":
            return _steps(config.steps)
        case "csv":
            # The configuration refuses kind csv without a path.
            times_s, values = read_table(config.path) if config.path else ((), ())
            return Steps(times_s=np.array(times_s), values=np.array(values))
    assert_never(config.kind)


def trace(config: TraceConfig, *, seed: int, purpose: str, device: int) -> Trace:
    """Return the same quantity of one device; arguments and errors as :func:`fleet_trace`."""
    return Trace(fleet=fleet_trace(config, seed=seed, purpose=purpose), device=device)


def _steps(steps: Sequence[tuple[float, float]]) -> Steps:
    times_s = np.array([time_s for time_s, _ in steps])
    if (np.diff(times_s) <= 0).any():
        raise ConfigurationError(f"steps: times must increase, got {times_s.tolist()}")
    return Steps(times_s=times_s, values=np.array([value for _, value in steps]))


def _value_noise(key: int, devices: NDArray[np.int64], place: float) -> NDArray[np.float64]:
    """Return noise in [-1, 1] that is linear between whole places."""
    cell = math.floor(place)
    left, right = uniform(key, devices, cell), uniform(key, devices, cell + 1)
    return 2.0 * (left + (right - left) * (place - cell)) - 1.0
