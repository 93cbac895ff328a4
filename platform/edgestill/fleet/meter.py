"""How much of a machine's CPUs is used, and how much of that by others than given processes."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

SHORTEST_S = 0.1
"""The kernel counts in hundredths of a second: shorter times say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuLoad:
    """Shares of all CPUs of a machine, each in 0..1.

    Attributes:
        used_ratio: by everything.
        other_ratio: by others than the given processes.
    """

    used_ratio: float
    other_ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    wall_s: float
    total_s: float
    busy_s: float
    own_s: dict[int, float]


class CpuMeter:
    """Compares each reading with the one before, so that it never waits."""

    def __init__(self, own: Iterable[int] = ()) -> None:
        """Begin to measure; ``own`` are process ids."""
        self._last = _read(own)
        self._load = _since_boot()

    def load(self, own: Iterable[int] = ()) -> CpuLoad:
        """Return the load since the last reading; the same again if that is too short ago.

        The very first, if asked for at once, is the machine's load average.
        """
        if time.monotonic() - self._last.wall_s >= SHORTEST_S:
            before, self._last = self._last, _read(own)
            self._load = _between(before, self._last)
        return self._load


def _read(own: Iterable[int]) -> _Reading:
    times = psutil.cpu_times()._asdict()
    # The kernel counts what guests use as used by their hosts too.
    total_s = sum(times.values()) - times.get("guest", 0.0) - times.get("guest_nice", 0.0)
    return _Reading(
        wall_s=time.monotonic(),
        total_s=total_s,
        busy_s=total_s - times["idle"] - times.get("iowait", 0.0),
        own_s={pid: seconds for pid in own if (seconds := _seconds(pid)) is not None},
    )


def _seconds(pid: int) -> float | None:
    try:
        times = psutil.Process(pid).cpu_times()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None
    return float(times.user + times.system)


def _between(before: _Reading, after: _Reading) -> CpuLoad:
    total_s = after.total_s - before.total_s
    if total_s <= 0:
        return CpuLoad(used_ratio=0.0, other_ratio=0.0)
    busy_s = after.busy_s - before.busy_s
    own_s = sum(s - before.own_s[pid] for pid, s in after.own_s.items() if pid in before.own_s)
    return CpuLoad(used_ratio=_ratio(busy_s, total_s), other_ratio=_ratio(busy_s - own_s, total_s))


def _since_boot() -> CpuLoad:
    used_ratio = _ratio(psutil.getloadavg()[0], os.cpu_count() or 1)
    return CpuLoad(used_ratio=used_ratio, other_ratio=used_ratio)


def _ratio(part: float, whole: float) -> float:
    return min(max(part / whole, 0.0), 1.0)
