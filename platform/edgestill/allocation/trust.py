"""Whether a group's signals can be decided from: hold at first, then be safe."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Literal, get_args

from edgestill.allocation.levels import Level
from edgestill.allocation.rules import TITLES, known
from edgestill.allocation.signals import Fault, GroupSignals
from edgestill.config import AllocationConfig

State = Literal["fresh", "held", "safe"]
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What a policy keeps of a group from round to round.

    Attributes:
        calm_rounds: rounds in a row in which every signal was clear of the level.
        seen: the signals that the group has ever reported, usable or not.
        doubtful_rounds: rounds in a row in which one of them could not be used.
    """

    calm_rounds: int = 0
    seen: frozenset[str] = frozenset()
    doubtful_rounds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What a group's signals are worth in a round.

    Attributes:
        state: ``fresh`` if all can be used, ``held`` while the level is held, then ``safe``.
        reason: which signals cannot be used; empty if fresh.
        faults: of the signals that cannot be used, by name.
        memory: what is seen and for how long there was doubt, this round included.
    """

    state: State
    reason: str = ""
    faults: Mapping[str, Fault] = field(default_factory=dict)
    memory: Memory = Memory()

    def ceiling(self, config: AllocationConfig, level: Level) -> Level:
        """Return the highest level that a group now at ``level`` may be given.

        A usable signal may still ask for less. Doubt never raises a level: a group that is below
        the safe level stays there.
        """
        if self.state == "fresh":
            return Level.HIGH
        return level if self.state == "held" else min(level, Level(config.safe_level))


def judge(config: AllocationConfig, signals: GroupSignals, memory: Memory) -> Trust:
    """Return whether a group's level may be decided, is held, or must be the safe one.

    While any signal that the group has ever reported is missing, stale or absurd, the level is
    held, for ``signals.hold_rounds`` rounds in a row; from then on, and where nothing was seen
    before that could have been held, the group is safe. When all can be used again it is fresh.
    """
    usable = known(signals).keys()
    faults = _faults(signals, memory, usable)
    reported = usable | {name for name, fault in faults.items() if fault != "missing"}
    seen = memory.seen | reported
    if seen and not faults:
        return Trust(state="fresh", memory=Memory(calm_rounds=memory.calm_rounds, seen=seen))
    # A group seen for the first time has no level that could be held.
    before = memory.doubtful_rounds if memory.seen else config.signals.hold_rounds
    doubtful = Memory(seen=seen, doubtful_rounds=before + 1)
    state: State = "held" if before < config.signals.hold_rounds else "safe"
    reason = _reason(config, faults, doubtful, state)
    return Trust(state=state, reason=reason, faults=faults, memory=doubtful)


def _faults(signals: GroupSignals, memory: Memory, usable: Set[str]) -> dict[str, Fault]:
    """Return what is wrong by signal; one that the group never reported is not missed.

    Of a group that never reported any signal, all are.
    """
    seen = memory.seen | usable
    faults: dict[str, Fault] = {}
    for name in TITLES:
        fault = signals.faults.get(name, "missing")
        if name not in usable and (fault != "missing" or name in seen or not seen):
            faults[name] = fault
    return faults


def _reason(
    config: AllocationConfig, faults: Mapping[str, Fault], memory: Memory, state: State
) -> str:
    if not memory.seen:
        return "no signal seen yet"
    kinds = dict.fromkeys(faults.values())
    named = {k: ", ".join(TITLES[name] for name in faults if faults[name] == k) for k in kinds}
    if len(kinds) == 1 and len(faults) == len(TITLES):
        named = dict.fromkeys(kinds, "all signals")
    what = "; ".join(f"{titles} {kind}" for kind, titles in named.items())
    if state == "held":
        return f"{what}: level held, round {memory.doubtful_rounds} of {config.signals.hold_rounds}"
    return f"{what}: at most the safe level {config.safe_level}"
