"""RA-CMKD's levels from a group's own signals, with hysteresis.

Under ``threshold`` this is the decision; under ``priority`` and ``predictive`` it is the ceiling.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from edgestill.allocation.levels import Level
from edgestill.allocation.rules import Readings, Rule, compared, known, rules
from edgestill.allocation.signals import Fault, GroupSignals
from edgestill.allocation.trust import Memory, State, Trust, judge
from edgestill.config import AllocationConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The level that a group's signals allow at most, why, and what is to be remembered."""

    level: Level
    reason: str
    memory: Memory = field(default_factory=Memory)
    state: State | None = None
    faults: Mapping[str, Fault] = field(default_factory=dict)


def judged(
    config: AllocationConfig, signals: GroupSignals, level: Level, memory: Memory
) -> Verdict:
    """Return the level after the present one.

    It falls at once to the level that the worst signal asks for, and rises by one level after
    ``rounds_before_raise`` rounds in a row in which every signal clears the bound of the present
    level by the hysteresis. While a signal cannot be used the level is held and then the safe one,
    see :func:`edgestill.allocation.trust.judge`.
    """
    trust = judge(config, signals, memory)
    chosen, reason, calm_rounds = _next(config, signals, trust, level)
    return Verdict(
        level=chosen,
        reason=reason,
        memory=replace(trust.memory, calm_rounds=calm_rounds),
        state=trust.state,
        faults=trust.faults,
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


def _next(
    config: AllocationConfig, signals: GroupSignals, trust: Trust, level: Level
) -> tuple[Level, str, int]:
    """Return the level after the present one, why, and for how many rounds all has been clear."""
    by_name = rules(config.thresholds)
    wanted = asked(by_name, signals)
    ceiling = min(level, trust.ceiling(config, level))
    if wanted is not None and wanted[0] < ceiling:
        return *wanted, 0
    if trust.state != "fresh":
        return ceiling, trust.reason, 0
    obstacle = _obstacle(by_name, known(signals), level)
    if obstacle is not None:
        return level, obstacle, 0
    calm, needed = trust.memory.calm_rounds + 1, config.thresholds.rounds_before_raise
    if calm < needed:
        return level, f"all signals clear for {calm} of {needed} rounds", calm
    return level.raised(), f"all signals clear of {level.value}", 0


def _obstacle(by_name: Mapping[str, Rule], values: Mapping[str, float], level: Level) -> str | None:
    """Return why the level must not rise; None if nothing is in the way."""
    if level is Level.HIGH:
        return "all signals within bounds"
    for name, rule in by_name.items():
        if name in values and rule.held_severity(values[name]) >= level.severity:
            clear_at = rule.clear_at(rule.bounds[level.severity - 1])
            value, bound = compared(name, values[name], clear_at)
            side = "down" if rule.sign > 0 else "up"
            return f"{rule.title} {value} not yet {side} to {bound}"
    return None
