"""The peak memory of a process and of all that it starts, sampled from outside."""

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import psutil

from edgestill.jobs.benchmarks.processes import descendants

INTERVAL_S = 0.5
COORDINATOR = "coordinator"
TITLES = {"ray::Cohort": "cohort", "ray::Fog": "fog", "ray::": "other actor"}
"""How Ray titles an actor's process, and what we call it; the first that fits counts."""


class Sampler:
    """Samples, inside the block, what the processes of a side hold.

    Attributes:
        peaks: process id to the most that it held at any sample, in bytes: ``uss_bytes`` of its
            own, ``rss_bytes`` with what it shares.
        kinds: process id to what it is.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.peaks: dict[int, dict[str, int]] = {}
        self.kinds: dict[int, str] = {}

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End."""
        self._over.set()
        self._thread.join()

    def by_process(self) -> dict[str, dict[str, int]]:
        """Return the peaks by a name for each process, such as ``cohort 1``, ordered by name."""
        named: dict[str, dict[str, int]] = {}
        counts: dict[str, int] = {}
        for pid, kind in sorted(self.kinds.items()):
            counts[kind] = counts.get(kind, 0) + 1
            named[kind if kind == COORDINATOR else f"{kind} {counts[kind]}"] = self.peaks[pid]
        return dict(sorted(named.items()))

    def _sample(self) -> None:
        while not self._over.wait(INTERVAL_S):
            try:
                first = psutil.Process(self._pid)
            except psutil.NoSuchProcess:
                return
            for process in (first, *descendants(self._pid)):
                self._enter(process)

    def _enter(self, process: psutil.Process) -> None:
        try:
            if process.pid not in self.kinds:
                self.kinds[process.pid] = self._kind(process)
                self.peaks[process.pid] = {"uss_bytes": 0, "rss_bytes": 0}
            held = process.memory_full_info()
        except psutil.Error:
            return
        peak = self.peaks[process.pid]
        peak["uss_bytes"] = max(peak["uss_bytes"], held.uss)
        peak["rss_bytes"] = max(peak["rss_bytes"], held.rss)
        # A worker gets its title when it is given an actor.
        if self.kinds[process.pid] not in (COORDINATOR, *TITLES.values()):
            self.kinds[process.pid] = self._kind(process)

    def _kind(self, process: psutil.Process) -> str:
        if process.pid == self._pid:
            return COORDINATOR
        command = " ".join(process.cmdline())
        titles = (kind for title, kind in TITLES.items() if command.startswith(title))
        return "ray service" if "::IDLE" in command else next(titles, "ray service")


def total_uss_bytes(peaks: Mapping[str, Mapping[str, int]]) -> int:
    """Return the sum of what the coordinator and the actors hold each by itself."""
    ours = (name for name in peaks if not name.startswith("ray service"))
    return sum(peaks[name]["uss_bytes"] for name in ours)
