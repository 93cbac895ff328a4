"""What the allocator sees: one snapshot of every group, from whatever source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSignals:
    """Means over a group; a signal that was not reported is None (NaN counts as None).

    Attributes:
        cpu_ratio: share of the CPU that others ask for, 0..1.
        free_memory_bytes: what a training process may use.
        battery_ratio: charge, 0..1; 1.0 on mains.
        temperature_c: of the part that throttles.
        age_s: how old the youngest signal is.
    """

    cpu_ratio: float | None = None
    free_memory_bytes: float | None = None
    battery_ratio: float | None = None
    temperature_c: float | None = None
    age_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The signals of all groups before a round; ``time_s`` is the virtual clock."""

    round_number: int
    time_s: float
    groups: Mapping[str, GroupSignals]


class SignalSource(Protocol):
    """Where snapshots come from: the in-process registry, a metrics server, a script."""

    def read(self, round_number: int, time_s: float) -> Snapshot:
        """Return the newest signals of every group."""


class MetricReader(Protocol):
    """The one method that is needed of a metric store."""

    def value(self, name: str, **labels: str) -> float | None:
        """Return the value of one series; None if it was never set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySource:
    """Signals from the gauges of the same process, so never old."""

    store: MetricReader
    groups: Sequence[str]

    def read(self, round_number: int, time_s: float) -> Snapshot:
        """Return the gauges of every group; a gauge never set gives None."""
        groups = {group: self._read(group) for group in self.groups}
        return Snapshot(round_number=round_number, time_s=time_s, groups=groups)

    def _read(self, group: str) -> GroupSignals:
        value = self.store.value
        return GroupSignals(
            cpu_ratio=value("edgestill_group_cpu_ratio", group=group),
            free_memory_bytes=value("edgestill_group_free_memory_bytes", group=group),
            battery_ratio=value("edgestill_group_battery_ratio", group=group),
            temperature_c=value("edgestill_group_temperature_celsius", group=group),
        )
