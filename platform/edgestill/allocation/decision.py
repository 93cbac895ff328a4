"""What the allocator decides: plain, frozen, and the same after a checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgestill.allocation.levels import Allocation, Level
from edgestill.allocation.signals import Fault
from edgestill.allocation.trust import Memory, State
from edgestill.errors import CheckpointError, FrameError


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What every group may spend in a round.

    Attributes:
        allocations: by group.
        reasons: one short sentence by group.
        changed: groups whose level differs from that of the decision before.
        ceilings: by group, the level that its own signals allow at most; none if static.
        foretold: by group, what a device is expected to take and bring: ``duration_s``,
            ``energy_j``, ``in_time_ratio``; none where nothing was foretold.
        states: by group, what its signals were worth: fresh, held or safe; none if static.
        faults: by group, why a signal was not used; groups without a fault are left out.
        memory: by group, for the next decision alone.
    """

    allocations: Mapping[str, Allocation]
    reasons: Mapping[str, str]
    changed: tuple[str, ...]
    ceilings: Mapping[str, Level] = field(default_factory=dict)
    foretold: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    states: Mapping[str, State] = field(default_factory=dict)
    faults: Mapping[str, Mapping[str, Fault]] = field(default_factory=dict)
    memory: Mapping[str, Memory] = field(default_factory=dict)

    def to_plain(self) -> dict[str, Any]:
        """Return plain values, as JSON can hold them, for a checkpoint."""
        return {
            "allocations": {group: one.to_record() for group, one in self.allocations.items()},
            "reasons": dict(self.reasons),
            "changed": list(self.changed),
            "ceilings": {group: level.value for group, level in self.ceilings.items()},
            "foretold": {group: dict(figures) for group, figures in self.foretold.items()},
            "states": dict(self.states),
            "faults": {group: dict(faults) for group, faults in self.faults.items()},
            "memory": {
                group: {
                    "calm_rounds": one.calm_rounds,
                    "seen": sorted(one.seen),
                    "doubtful_rounds": one.doubtful_rounds,
                }
                for group, one in self.memory.items()
            },
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Decision":
        """Return the decision that :meth:`to_plain` wrote.

        Raises:
            CheckpointError: a value is missing or of another type.
        """
        try:
            records, memory = plain["allocations"], plain["memory"]
            return cls(
                allocations={g: Allocation.from_record(one) for g, one in records.items()},
                reasons={str(group): str(text) for group, text in plain["reasons"].items()},
                changed=tuple(str(group) for group in plain["changed"]),
                ceilings={str(g): Level(level) for g, level in plain["ceilings"].items()},
                foretold={group: dict(figures) for group, figures in plain["foretold"].items()},
                states=dict(plain["states"]),
                faults={group: dict(faults) for group, faults in plain["faults"].items()},
                memory={
                    group: Memory(
                        calm_rounds=int(m["calm_rounds"]),
                        seen=frozenset(m["seen"]),
                        doubtful_rounds=int(m["doubtful_rounds"]),
                    )
                    for group, m in memory.items()
                },
            )
        except (FrameError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(
                f"allocation decision: {type(error).__name__}: {error}"
            ) from error
