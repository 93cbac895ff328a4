import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgestill.allocation import (
    Decision,
    Fault,
    GroupSignals,
    Level,
    Memory,
    Snapshot,
    decide,
    judge,
)
from edgestill.config import AllocationConfig, SignalsConfig

CONFIG = AllocationConfig()
CALM = GroupSignals(cpu_ratio=0.1, free_memory_bytes=1e9, battery_ratio=1.0, temperature_c=25.0)
STALE = GroupSignals(
    age_s=99.0,
    faults=dict.fromkeys(
        ("cpu_ratio", "free_memory_bytes", "battery_ratio", "temperature_c"), "stale"
    ),
)
NAMES = ("cpu_ratio", "free_memory_bytes", "battery_ratio", "temperature_c")
FAULTS: tuple[Fault, ...] = ("missing", "stale", "absurd")


def faulty(faults: Mapping[str, Fault], signals: GroupSignals = CALM) -> GroupSignals:
    return replace(signals, **dict.fromkeys(faults), faults=dict(faults))


def play(
    *rounds: GroupSignals | None, config: AllocationConfig = CONFIG
) -> list[tuple[str, str, str]]:
    """Give state, level and reason of each round; None is a group missing from the snapshot."""
    decision: Decision | None = None
    seen = []
    for signals in rounds:
        groups = {} if signals is None else {"phones": signals}
        snapshot = Snapshot(round_number=1, time_s=0.0, groups=groups)
        decision = decide(config, ("visual",), snapshot, decision)
        level = decision.allocations["phones"].level.value
        seen.append((decision.states["phones"], level, decision.reasons["phones"]))
    return seen


def states(*rounds: GroupSignals | None, config: AllocationConfig = CONFIG) -> list[str]:
    return [f"{state} {level}" for state, level, _ in play(*rounds, config=config)]


def test_doubt_holds_the_level_and_then_takes_the_safe_one_and_rises_again_step_by_step() -> None:
    assert states(CALM, STALE, STALE, STALE, STALE, CALM, CALM, CALM, CALM) == [
        "fresh high",
        "held high",
        "held high",
        "safe critical",
        "safe critical",
        "fresh low",
        "fresh medium",
        "fresh high",
        "fresh high",
    ]


@pytest.mark.parametrize("fault", FAULTS)
def test_the_reason_names_the_signal_and_the_rule(fault: Fault) -> None:
    doubtful = faulty({"temperature_c": fault})
    reasons = [reason for _, _, reason in play(CALM, doubtful, doubtful, doubtful)]
    assert reasons == [
        "all signals within bounds",
        f"temperature {fault}: level held, round 1 of 2",
        f"temperature {fault}: level held, round 2 of 2",
        f"temperature {fault}: at most the safe level critical",
    ]


def test_faults_of_several_kinds_are_named_by_kind() -> None:
    doubtful = faulty({"cpu_ratio": "stale", "battery_ratio": "stale", "temperature_c": "absurd"})
    assert play(CALM, doubtful)[1][2].startswith("cpu, battery stale; temperature absurd: ")


def test_faults_of_all_signals_are_named_in_one() -> None:
    assert play(CALM, None)[1][2] == "all signals missing: level held, round 1 of 2"
    assert play(CALM, STALE)[1][2] == "all signals stale: level held, round 1 of 2"


def test_a_group_that_vanishes_from_the_snapshot_is_held_and_then_safe() -> None:
    assert states(CALM, None, None, None) == [
        "fresh high",
        "held high",
        "held high",
        "safe critical",
    ]


def test_a_usable_signal_lowers_the_level_in_any_state() -> None:
    hot = faulty({"cpu_ratio": "missing"}, replace(CALM, temperature_c=61.0))
    assert play(CALM, hot)[1] == ("held", "low", "temperature 61.0 C above 60.0 C")
    config = AllocationConfig(safe_level="medium")
    doubtful = faulty({"cpu_ratio": "missing"})
    assert states(CALM, doubtful, doubtful, hot, config=config)[3] == "safe low"


def test_the_safe_level_never_raises_a_group() -> None:
    config = AllocationConfig(safe_level="medium")
    loaded = replace(CALM, cpu_ratio=0.95)
    assert states(loaded, STALE, STALE, STALE, config=config)[3] == "safe critical"


def test_a_round_of_good_signals_begins_the_count_anew() -> None:
    assert states(CALM, STALE, STALE, CALM, STALE, STALE, STALE)[3:] == [
        "fresh high",
        "held high",
        "held high",
        "safe critical",
    ]


def test_without_rounds_to_hold_the_group_is_safe_at_once() -> None:
    config = AllocationConfig(signals=SignalsConfig(hold_rounds=0))
    assert states(CALM, STALE, config=config) == ["fresh high", "safe critical"]


@pytest.mark.parametrize("first", [None, GroupSignals(), GroupSignals(cpu_ratio=math.nan)])
def test_a_group_never_seen_is_safe_at_once(first: GroupSignals | None) -> None:
    groups = {} if first is None else {"phones": first}
    snapshot = Snapshot(round_number=1, time_s=0.0, groups={"phones": GroupSignals(), **groups})
    config = AllocationConfig(safe_level="low")
    decision = decide(config, ("visual",), snapshot, None)
    assert decision.allocations["phones"].level is Level.LOW
    assert (decision.states, decision.reasons) == (
        {"phones": "safe"},
        {"phones": "no signal seen yet"},
    )
    assert decision.faults == {"phones": dict.fromkeys(NAMES, "missing")}


def test_a_first_round_in_doubt_has_no_level_to_hold() -> None:
    absurd = faulty({"temperature_c": "absurd"})
    assert states(absurd, absurd, CALM) == ["safe critical", "safe critical", "fresh low"]


def test_a_signal_that_the_group_never_reported_is_not_missed() -> None:
    no_battery = faulty({"battery_ratio": "missing"})
    assert states(no_battery, no_battery) == ["fresh high", "fresh high"]
    trust = judge(CONFIG, no_battery, Memory())
    assert trust.faults == {}
    assert trust.memory.seen == frozenset(NAMES) - {"battery_ratio"}


def test_the_static_policy_trusts_nothing_and_needs_nothing() -> None:
    snapshot = Snapshot(round_number=1, time_s=0.0, groups={"phones": STALE})
    decision = decide(AllocationConfig(policy="static"), ("visual",), snapshot, None)
    assert decision.allocations["phones"].level is Level.HIGH
    assert decision.states == {}


def test_calm_rounds_in_doubt_do_not_count() -> None:
    config = AllocationConfig(thresholds={"rounds_before_raise": 2})  # type: ignore[arg-type]
    loaded = replace(CALM, cpu_ratio=0.95)
    found = states(loaded, CALM, faulty({"cpu_ratio": "stale"}), CALM, CALM, config=config)
    assert found == [
        "fresh critical",
        "fresh critical",
        "held critical",
        "fresh critical",
        "fresh low",
    ]


SIGNALS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(FAULTS)).map(faulty)


@given(rounds=st.lists(SIGNALS, min_size=1, max_size=12), hold_rounds=st.integers(0, 4))
def test_doubt_never_raises_a_level_and_is_never_held_for_longer_than_told(
    rounds: list[GroupSignals], hold_rounds: int
) -> None:
    config = AllocationConfig(signals=SignalsConfig(hold_rounds=hold_rounds), safe_level="low")
    level, held = Level.HIGH, 0
    for state, name, reason in play(*rounds, config=config):
        assert reason
        held = held + 1 if state == "held" else 0
        assert held <= hold_rounds
        if state != "fresh":
            assert Level(name) <= level
        if state == "safe":
            assert Level(name) <= Level.LOW
        level = Level(name)
