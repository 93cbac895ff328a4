"""What the allocator sees: one snapshot of every group, from whatever source."""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from edgestill.allocation.forecast import Forecasts

Fault = Literal["missing", "stale", "absurd"]
"""Why a signal is not used: no sample, one too old, or one that cannot be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSignals:
    """Means over a group; a signal that cannot be used is None (NaN counts as None).

    Attributes:
        cpu_ratio: share of the CPU that others ask for, 0..1.
        free_memory_bytes: what a training process may use.
        battery_ratio: charge, 0..1; 1.0 on mains.
        temperature_c: of the part that throttles.
        age_s: how old the signals are, in real seconds; None if nobody knows.
        faults: why a signal is None, by name; without a word it is missing.
    """

    cpu_ratio: float | None = None
    free_memory_bytes: float | None = None
    battery_ratio: float | None = None
    temperature_c: float | None = None
    age_s: float | None = 0.0
    faults: Mapping[str, Fault] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The signals of all groups before a round.

    Attributes:
        time_s: the virtual clock.
        source_error: why some or all signals could not be asked for, in one line.
        source_error_reason: the same in one word, of a fixed few.
        forecasts: what each option would take and bring; None where nobody foretells.
    """

    round_number: int
    time_s: float
    groups: Mapping[str, GroupSignals]
    source_error: str | None = None
    source_error_reason: str | None = None
    forecasts: Forecasts | None = None


class SignalSource(Protocol):
    """Where snapshots come from: the in-process registry, a metrics server, a script."""

    def read(self, round_number: int, time_s: float) -> Snapshot:
        """Return the newest signals of every group."""


_POSSIBLE: Mapping[str, tuple[float, float]] = {
    "cpu_ratio": (0.0, 1.0),
    "free_memory_bytes": (0.0, sys.float_info.max),
    "battery_ratio": (0.0, 1.0),
    "temperature_c": (-80.0, 200.0),
}
"""The least and the greatest value of each signal that is not absurd."""
_ROUNDING = 1e-9
"""How far beyond its range the mean of possible values may come out."""


def group_signals(
    values: Mapping[str, float | None], *, age_s: float | None, stale_after_s: float
) -> GroupSignals:
    """Return what can be used of a group's samples, and what is wrong with the others.

    Args:
        values: by name of signal; without a sample None or left out.
        age_s: how old the samples are, in real seconds; None, NaN or negative if nobody knows,
            and then they count as stale.
        stale_after_s: the age from which on none is used.
    """
    known_age_s = age_s if age_s is not None and 0.0 <= age_s < math.inf else None
    fresh = known_age_s is not None and known_age_s <= stale_after_s
    usable: dict[str, float] = {}
    faults: dict[str, Fault] = {}
    for name, (low, high) in _POSSIBLE.items():
        value = values.get(name)
        if value is None:
            faults[name] = "missing"
        elif not fresh:
            faults[name] = "stale"
        elif low - _ROUNDING <= value <= high + _ROUNDING:  # NaN is in no range
            usable[name] = min(max(value, low), high)
        else:
            faults[name] = "absurd"
    return GroupSignals(**usable, age_s=known_age_s, faults=faults)
