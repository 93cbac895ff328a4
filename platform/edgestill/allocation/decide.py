"""From a snapshot of signals and forecasts to a decision for every group, as a pure function."""

from collections.abc import Mapping, Sequence

from edgestill.allocation.decision import Decision
from edgestill.allocation.forecast import Forecasts, Menu, menu_of
from edgestill.allocation.knapsack import Choice, choose, fits
from edgestill.allocation.levels import Allocation, Level, allocation_of
from edgestill.allocation.priority import share_out
from edgestill.allocation.signals import GroupSignals, Snapshot
from edgestill.allocation.threshold import Verdict, judged
from edgestill.allocation.trust import Memory
from edgestill.config import AllocationConfig


def decide(
    config: AllocationConfig,
    kinds: Sequence[str],
    snapshot: Snapshot,
    previous: Decision | None,
) -> Decision:
    """Return what every group of the snapshot, and of the decision before, may spend.

    ``static`` gives every group the configured level. ``threshold`` gives the level that the
    group's own signals allow, see :func:`edgestill.allocation.threshold.judged`; a group that was
    never seen is at the safe level. Under ``priority`` and ``predictive`` that level is only the
    most that a group may be given, and the snapshot's forecasts say what it is: ``priority`` shares
    the fleet's budget out by modality (:func:`edgestill.allocation.priority.share_out`),
    ``predictive`` chooses level, epochs and bits for the most expected gain within the deadline and
    the budget (:func:`edgestill.allocation.knapsack.choose`). A group whose signals are in doubt
    keeps its allocation while its level is held.

    Raises:
        ValueError: ``kinds`` is empty.
    """
    groups = dict.fromkeys([*snapshot.groups, *(previous.allocations if previous else ())])
    verdicts = {group: _verdict(config, group, snapshot, previous) for group in groups}
    of_level = {level: allocation_of(config.levels, level, kinds) for level in Level}
    allocations = {group: of_level[verdict.level] for group, verdict in verdicts.items()}
    reasons = {group: verdict.reason for group, verdict in verdicts.items()}
    foretold: dict[str, dict[str, float]] = {}
    forecasts = snapshot.forecasts
    if config.policy in ("priority", "predictive") and forecasts is not None:
        menu = menu_of(
            forecasts,
            {group: verdict.level for group, verdict in verdicts.items()},
            _held(forecasts, verdicts, previous),
            config.budget,
        )
        choice = share_out(forecasts, menu) if config.policy == "priority" else choose(menu)
        for index, (group, option) in enumerate(
            zip(forecasts.groups, choice.tolist(), strict=True)
        ):
            allocations[group] = forecasts.options[option]
            foretold[group] = forecasts.figures(index, option)
        reasons |= _explained(config, forecasts, menu, choice, verdicts)
    before = {g: a.level for g, a in previous.allocations.items()} if previous else {}
    return Decision(
        allocations=allocations,
        reasons=reasons,
        changed=tuple(g for g, a in allocations.items() if before.get(g, a.level) != a.level),
        ceilings={g: v.level for g, v in verdicts.items() if v.state is not None},
        foretold=foretold,
        states={g: v.state for g, v in verdicts.items() if v.state is not None},
        faults={g: v.faults for g, v in verdicts.items() if v.faults},
        memory={group: verdict.memory for group, verdict in verdicts.items()},
    )


def _verdict(
    config: AllocationConfig, group: str, snapshot: Snapshot, previous: Decision | None
) -> Verdict:
    if config.policy == "static":
        return Verdict(level=Level(config.level), reason="static policy")
    # What is new to the allocator is taken for high, from where any signal can lower it.
    level, memory = Level.HIGH, Memory()
    if previous is not None and group in previous.allocations:
        level = previous.ceilings.get(group, previous.allocations[group].level)
        memory = previous.memory.get(group, memory)
    return judged(config, snapshot.groups.get(group, GroupSignals()), level, memory)


def _held(
    forecasts: Forecasts, verdicts: Mapping[str, Verdict], previous: Decision | None
) -> dict[str, Allocation]:
    """Return the allocations of the groups whose level is held."""
    before = {} if previous is None else previous.allocations
    return {g: before[g] for g in forecasts.groups if verdicts[g].state == "held" and g in before}


def _explained(
    config: AllocationConfig,
    forecasts: Forecasts,
    menu: Menu,
    choice: Choice,
    verdicts: Mapping[str, Verdict],
) -> dict[str, str]:
    """Return for each group what was foretold, and what kept it from the level above."""
    within = "" if fits(menu, choice) else "; budget exceeded even so"
    reasons = {}
    for index, group in enumerate(forecasts.groups):
        option = int(choice[index])
        chosen, verdict = forecasts.options[option], verdicts[group]
        taken = (
            f"{chosen.participation:.0%} asked, {chosen.epochs} epochs, {chosen.bits} bits: "
            f"{forecasts.duration_s_go[index, option]:.3g} s, "
            f"{forecasts.in_time_ratio_go[index, option]:.0%} in time, "
            f"{forecasts.energy_j_go[index, option]:.3g} J"
        )
        why = _obstacle(menu, index, option, chosen, verdict)
        reasons[group] = f"{config.policy}: {taken}; {why}{within}"
    return reasons


def _obstacle(menu: Menu, group: int, option: int, chosen: Allocation, verdict: Verdict) -> str:
    if verdict.state != "fresh":
        return verdict.reason
    if menu.allowed_go[group, :option].any():
        return "better options bring less for what they take of the budget"
    if chosen.level < verdict.level:
        return "better options would miss the deadline"
    return verdict.reason
