"""Whether a run fits into memory, and which setting would make it fit."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from edgestill.config import RunConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """Memory that grows with one setting.

    Attributes:
        where: the kind of process that holds it, or the object store.
        setting: key of the configuration that it grows with; empty for none.
        noun: what is counted.
        units: how many there are.
        bytes_each: of one.
    """

    where: str
    setting: str
    noun: str
    units: int
    bytes_each: float

    @property
    def total_bytes(self) -> float:
        """The bytes of all."""
        return self.units * self.bytes_each


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What a run will take beyond what is in use, part by part, and what is free for it."""

    config: RunConfig
    terms: tuple[Term, ...]
    free_bytes: float

    @property
    def total_bytes(self) -> float:
        """The bytes of the whole run."""
        return sum(term.total_bytes for term in self.terms)

    def by_place(self) -> dict[str, float]:
        """Return the bytes of each kind of process, and of the object store."""
        places = dict.fromkeys(term.where for term in self.terms)
        return {
            place: sum(term.total_bytes for term in self.terms if term.where == place)
            for place in places
        }

    def describe(self) -> str:
        """Return one line: what is needed, where, and what is free."""
        places = ", ".join(f"{place} {_size(size)}" for place, size in self.by_place().items())
        return f"about {_size(self.total_bytes)} ({places}); {_size(self.free_bytes)} are free"

    def refusal(self) -> str | None:
        """Return why the run does not fit and which setting would make it; None if it fits."""
        if self.total_bytes <= self.free_bytes:
            return None
        settings = {term.setting for term in self.terms if term.setting}
        for setting in sorted(settings, key=lambda one: (-self._bytes_of(one), one)):
            bytes_each = self._bytes_of(setting) / self._units_of(setting)
            left_bytes = self.free_bytes - self.total_bytes + self._bytes_of(setting)
            value = _VALUES[setting](self.config, math.floor(left_bytes / bytes_each))
            if value is not None:
                return f"{self._need(setting)}; {value} would fit"
        return (
            f"memory: the run needs {self.describe()}; no one setting makes it fit, it needs "
            "a machine with more"
        )

    def _need(self, setting: str) -> str:
        noun = next(term.noun for term in self.terms if term.setting == setting)
        return (
            f"{setting}: {self._units_of(setting)} {noun} need {_size(self._bytes_of(setting))} of "
            f"{_size(self.total_bytes)} in all, {_size(self.free_bytes)} are free"
        )

    def _bytes_of(self, setting: str) -> float:
        return sum(term.total_bytes for term in self.terms if term.setting == setting)

    def _units_of(self, setting: str) -> int:
        return next(term.units for term in self.terms if term.setting == setting)


def _fraction(config: RunConfig, units: int) -> str | None:
    drawn = units / (config.fleet.devices * (1.0 + config.federation.over_selection))
    if drawn <= 0.0:
        return None
    digits = 1 - math.floor(math.log10(drawn))
    floored = math.floor(drawn * 10**digits) / 10**digits
    return None if floored * config.fleet.devices < 1.0 else f"{floored:g}"


def _number(config: RunConfig, units: int) -> str | None:
    del config
    return str(units) if units >= 1 else None


def _concurrency(config: RunConfig, units: int) -> str | None:
    return _number(config, units - config.federation.buffer_size)


_VALUES: dict[str, Callable[[RunConfig, int], str | None]] = {
    "federation.fraction": _fraction,
    "federation.concurrency": _concurrency,
    "fleet.devices": _number,
    "engine.cohorts": _number,
}


def _size(size_bytes: float) -> str:
    """Return bytes as people read them."""
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"
