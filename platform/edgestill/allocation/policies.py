"""From a snapshot of signals to a decision for every group, as a pure function."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgestill.allocation.levels import Allocation, Level, allocation_of
from edgestill.allocation.rules import Readings, Rule, compared, known, rules
from edgestill.allocation.signals import GroupSignals, Snapshot
from edgestill.config import AllocationConfig
from edgestill.errors import CheckpointError, FrameError


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What a policy keeps of a group: calm rounds in a row, and the signals it has ever seen."""

    calm_rounds: int = 0
    seen: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What every group may spend in a round.

    Attributes:
        allocations: by group.
        reasons: one short sentence by group.
        changed: groups whose level differs from that of the decision before.
        memory: by group, for the next decision alone.
    """

    allocations: Mapping[str, Allocation]
    reasons: Mapping[str, str]
    changed: tuple[str, ...]
    memory: Mapping[str, Memory] = field(default_factory=dict)

    def to_plain(self) -> dict[str, Any]:
        """Return plain values, as JSON can hold them, for a checkpoint."""
        return {
            "allocations": {group: one.to_record() for group, one in self.allocations.items()},
            "reasons": dict(self.reasons),
            "changed": list(self.changed),
            "memory": {
                group: {"calm_rounds": one.calm_rounds, "seen": sorted(one.seen)}
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
                memory={
                    group: Memory(calm_rounds=int(m["calm_rounds"]), seen=frozenset(m["seen"]))
                    for group, m in memory.items()
                },
            )
        except (FrameError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(
                f"allocation decision: {type(error).__name__}: {error}"
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    level: Level
    reason: str
    memory: Memory


def decide(
    config: AllocationConfig,
    kinds: Sequence[str],
    snapshot: Snapshot,
    previous: Decision | None,
) -> Decision:
    """Return what every group of the snapshot, and of the decision before, may spend.

    ``static`` gives every group the configured level. ``threshold`` falls at once to the level that
    the worst signal asks for, and rises by one level after ``rounds_before_raise`` rounds in a row
    in which every signal clears the bound of the present level by the hysteresis. A signal that is
    None or NaN asks for nothing; while one that was seen before is missing, the level does not
    rise; a group that was never seen is critical.

    Raises:
        ValueError: ``kinds`` is empty.
    """
    groups = dict.fromkeys([*snapshot.groups, *(previous.allocations if previous else ())])
    verdicts = {group: _verdict(config, group, snapshot, previous) for group in groups}
    before = {g: a.level for g, a in previous.allocations.items()} if previous else {}
    return Decision(
        allocations={g: allocation_of(config.levels, v.level, kinds) for g, v in verdicts.items()},
        reasons={group: verdict.reason for group, verdict in verdicts.items()},
        changed=tuple(g for g, v in verdicts.items() if before.get(g, v.level) != v.level),
        memory={group: verdict.memory for group, verdict in verdicts.items()},
    )


def asked(by_name: Mapping[str, Rule], readings: Readings) -> tuple[Level, str] | None:
    """Return the level that the worst signal asks for and why; None without any signal."""
    values = known(readings)
    severities = {
        name: rule.severity(values[name]) for name, rule in by_name.items() if name in values
    }
    if not severities:
        return None
    name = max(severities, key=severities.__getitem__)
    severity, rule = severities[name], by_name[name]
    if severity == 0:
        return Level.HIGH, "all signals within bounds"
    side = "above" if rule.sign > 0 else "below"
    value, bound = compared(name, values[name], rule.bounds[severity - 1])
    return Level.of_severity(severity), f"{rule.title} {value} {side} {bound}"


def _verdict(
    config: AllocationConfig, group: str, snapshot: Snapshot, previous: Decision | None
) -> _Verdict:
    if config.policy == "static":
        return _Verdict(level=Level(config.level), reason="static policy", memory=Memory())
    signals = snapshot.groups.get(group, GroupSignals())
    if previous is None or group not in previous.allocations:
        return _first(config, signals)
    return _next(
        config,
        signals,
        previous.allocations[group].level,
        previous.memory.get(group, Memory()),
    )


def _first(config: AllocationConfig, signals: GroupSignals) -> _Verdict:
    wanted = asked(rules(config.thresholds), signals)
    level, reason = wanted or (Level.CRITICAL, "no signal seen yet")
    return _Verdict(level=level, reason=reason, memory=Memory(seen=frozenset(known(signals))))


def _next(
    config: AllocationConfig, signals: GroupSignals, level: Level, memory: Memory
) -> _Verdict:
    by_name = rules(config.thresholds)
    values = known(signals)
    seen = memory.seen | values.keys()
    wanted = asked(by_name, signals)
    if wanted is not None and wanted[0] < level:
        return _Verdict(level=wanted[0], reason=wanted[1], memory=Memory(seen=seen))
    obstacle = _obstacle(by_name, values, seen, level)
    if obstacle is not None:
        return _Verdict(level=level, reason=obstacle, memory=Memory(seen=seen))
    calm, needed = memory.calm_rounds + 1, config.thresholds.rounds_before_raise
    if calm < needed:
        reason = f"all signals clear for {calm} of {needed} rounds"
        return _Verdict(level=level, reason=reason, memory=Memory(calm_rounds=calm, seen=seen))
    reason = f"all signals clear of {level.value}"
    return _Verdict(level=level.raised(), reason=reason, memory=Memory(seen=seen))


def _obstacle(
    by_name: Mapping[str, Rule], values: Mapping[str, float], seen: frozenset[str], level: Level
) -> str | None:
    """Return why the level must not rise; None if nothing is in the way."""
    if not seen:
        return "no signal seen yet"
    missing = [rule.title for name, rule in by_name.items() if name in seen and name not in values]
    if missing:
        return f"{', '.join(missing)} not reported: level held"
    if level is Level.HIGH:
        return "all signals within bounds"
    for name, rule in by_name.items():
        if name in values and rule.held_severity(values[name]) >= level.severity:
            clear_at = rule.clear_at(rule.bounds[level.severity - 1])
            value, bound = compared(name, values[name], clear_at)
            side = "down" if rule.sign > 0 else "up"
            return f"{rule.title} {value} not yet {side} to {bound}"
    return None
