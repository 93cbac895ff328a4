"""What leaves a device, and what it costs in privacy and bytes: objects that add."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from edgestill.privacy.accounting import gaussian_epsilon

Row = dict[str, str | int | float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One kind of thing that a device releases.

    Attributes:
        what: such as ``"summary"`` or ``"update"``.
        noise_multiplier: noise's standard deviation over the L2 sensitivity; 0 without noise.
        delta: at which epsilon is stated.
        releases: how often the same records were released.
        bytes: what was sent for it, on all devices.
    """

    what: str
    noise_multiplier: float
    delta: float
    releases: int = 1
    bytes: int = 0

    @property
    def mechanism(self) -> str:
        """``"gaussian"``, or ``"none"`` when no noise is added."""
        return "gaussian" if self.noise_multiplier else "none"

    @property
    def epsilon(self) -> float | None:
        """Epsilon of all releases together; None when unbounded."""
        return gaussian_epsilon(
            noise_multiplier=self.noise_multiplier, steps=self.releases, delta=self.delta
        )

    def row(self) -> Row:
        """Return plain values for a report."""
        return {
            "what": self.what,
            "mechanism": self.mechanism,
            "noise_multiplier": self.noise_multiplier,
            "releases": self.releases,
            "epsilon": self.epsilon,
            "delta": self.delta,
            "bytes": self.bytes,
        }

    @property
    def _key(self) -> tuple[str, float, float]:
        return self.what, self.noise_multiplier, self.delta


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Releases by kind; an empty ledger is the zero of both sums.

    ``a + b`` is one device that did both: releases and bytes add (sequential composition).
    ``a | b`` is two devices, whose records are disjoint: each record is in the releases of one of
    them only, so that the larger number counts (parallel composition, McSherry, SIGMOD 2009,
    theorem 4), while bytes add. Both are associative and commutative.
    """

    entries: tuple[Release, ...] = ()

    @classmethod
    def of(cls, *releases: Release) -> "Ledger":
        """Return the ledger of one device that made these releases."""
        return _merge(releases, lambda a, b: a + b)

    def __add__(self, other: "Ledger") -> "Ledger":
        """Return the ledger of one device that did both."""
        return _merge(self.entries + other.entries, lambda a, b: a + b)

    def __or__(self, other: "Ledger") -> "Ledger":
        """Return the ledger of two devices beside each other."""
        return _merge(self.entries + other.entries, max)

    def rows(self) -> list[Row]:
        """Return plain values for a report, ordered by what was released."""
        return [entry.row() for entry in self.entries]


def _merge(entries: Iterable[Release], compose: Callable[[int, int], int]) -> Ledger:
    merged: dict[tuple[str, float, float], Release] = {}
    for entry in entries:
        held = merged.get(entry._key)
        merged[entry._key] = (
            entry
            if held is None
            else replace(
                held,
                releases=compose(held.releases, entry.releases),
                bytes=held.bytes + entry.bytes,
            )
        )
    return Ledger(entries=tuple(merged[key] for key in sorted(merged)))
