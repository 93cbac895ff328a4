"""The four levels of RA-CMKD and what a level lets a device spend."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self, get_args

from edgestill.config import LevelsConfig, ModalityKind
from edgestill.errors import FrameError

PRIORITY: tuple[ModalityKind, ...] = get_args(ModalityKind)


class Level(StrEnum):
    """What a group may spend, best first; ordered: ``HIGH > MEDIUM > LOW > CRITICAL``.

    Cherian and Manoov, RA-CMKD, results table.
    """

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    CRITICAL = "critical"

    @classmethod
    def of_severity(cls, severity: int) -> Self:
        """Return the level of a severity, 0 (high) to 3 (critical); beyond, the nearest."""
        levels = list(cls)
        return levels[min(max(severity, 0), len(levels) - 1)]

    @property
    def severity(self) -> int:
        """Return 0 for high up to 3 for critical."""
        return list(type(self)).index(self)

    def raised(self) -> "Level":
        """Return the next better level; high stays."""
        return Level.of_severity(self.severity - 1)

    def lowered(self) -> "Level":
        """Return the next worse level; critical stays."""
        return Level.of_severity(self.severity + 1)

    # A string compares by its letters, which would put "high" below "low".
    def __lt__(self, other: str) -> bool:
        """Return whether this level lets spend less."""
        return self.severity > Level(other).severity

    def __le__(self, other: str) -> bool:
        """Return whether this level lets spend no more."""
        return self.severity >= Level(other).severity

    def __gt__(self, other: str) -> bool:
        """Return whether this level lets spend more."""
        return self.severity < Level(other).severity

    def __ge__(self, other: str) -> bool:
        """Return whether this level lets spend no less."""
        return self.severity <= Level(other).severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """What one device may spend in one round.

    Attributes:
        level: where it comes from.
        modalities: kind to the share of its input kept, in (0, 1]; never empty.
        width: share of the student's width, in (0, 1].
        bits: of each quantised number of an update.
        epochs: local epochs.
        participation: probability of taking part in a round, 0..1; the caller draws.
    """

    level: Level
    modalities: Mapping[str, float]
    width: float
    bits: int
    epochs: int
    participation: float

    @property
    def key(self) -> tuple[Any, ...]:
        """Return a hashable value, equal for equal allocations."""
        shares = tuple(sorted(self.modalities.items()))
        return self.level, shares, self.width, self.bits, self.epochs, self.participation

    def to_record(self) -> dict[str, Any]:
        """Return flat values as a Flower ``ConfigRecord`` takes them."""
        return {
            "level": self.level.value,
            "modalities": list(self.modalities),
            "shares": [float(share) for share in self.modalities.values()],
            "width": float(self.width),
            "bits": int(self.bits),
            "epochs": int(self.epochs),
            "participation": float(self.participation),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Allocation":
        """Return the allocation that :meth:`to_record` wrote.

        Raises:
            FrameError: a value is missing, of another type or out of range.
        """
        try:
            kinds, shares = record["modalities"], record["shares"]
            allocation = cls(
                level=Level(record["level"]),
                modalities={k: float(s) for k, s in zip(kinds, shares, strict=True)},
                width=float(record["width"]),
                bits=int(record["bits"]),
                epochs=int(record["epochs"]),
                participation=float(record["participation"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise FrameError(f"allocation record: {type(error).__name__}: {error}") from error
        _check(allocation)
        return allocation


def allocation_of(config: LevelsConfig, level: Level, kinds: Sequence[str]) -> Allocation:
    """Return what a level lets a device spend, restricted to the kinds that there are.

    If the level names none of them, the first of visual, audio, sensor that there is is kept whole:
    the critical modality is kept first (RA-CMKD).

    Raises:
        ValueError: ``kinds`` holds no modality kind.
    """
    limits = getattr(config, level.value)
    present = [kind for kind in PRIORITY if kind in kinds]
    if not present:
        raise ValueError(f"kinds: expected at least one of {', '.join(PRIORITY)}, got {kinds!r}")
    kept: dict[str, float] = {
        kind: limits.modalities[kind] for kind in present if kind in limits.modalities
    }
    return Allocation(
        level=level,
        modalities=kept or {present[0]: 1.0},
        width=limits.width,
        bits=limits.bits,
        epochs=limits.epochs,
        participation=limits.participation,
    )


def _check(allocation: Allocation) -> None:
    """Refuse what no level can say; comparisons with NaN are false, so NaN is refused too."""
    shares = (allocation.width, *allocation.modalities.values())
    sound = (
        len(allocation.modalities) > 0
        and all(kind in PRIORITY for kind in allocation.modalities)
        and all(0.0 < share <= 1.0 for share in shares)
        and allocation.bits in (4, 8, 16, 32)
        and allocation.epochs >= 1
        and 0.0 <= allocation.participation <= 1.0
    )
    if not sound:
        raise FrameError(f"allocation record: a value is out of range: {allocation}")
