import json
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgestill.allocation import Decision, GroupSignals, Level, Memory, Snapshot, decide
from edgestill.config import (
    AllocationConfig,
    FleetConfig,
    GroupConfig,
    ModalityKind,
    ThresholdsConfig,
    TraceConfig,
)
from edgestill.errors import CheckpointError
from edgestill.fleet import Fleet

KINDS: tuple[ModalityKind, ...] = ("visual", "audio", "sensor")
CONFIG = AllocationConfig()
PATIENT = AllocationConfig(thresholds=ThresholdsConfig(rounds_before_raise=3))
CALM = GroupSignals(cpu_ratio=0.1, free_memory_bytes=1e9, battery_ratio=1.0, temperature_c=25.0)
NAMES = ("cpu_ratio", "free_memory_bytes", "battery_ratio", "temperature_c")
ANY = st.none() | st.floats(allow_nan=True, allow_infinity=True)
ANY_SIGNALS = st.builds(
    GroupSignals, cpu_ratio=ANY, free_memory_bytes=ANY, battery_ratio=ANY, temperature_c=ANY
)
REAL_SIGNALS = st.builds(
    GroupSignals,
    cpu_ratio=st.floats(0, 1),
    free_memory_bytes=st.floats(0, 1e8),
    battery_ratio=st.floats(0, 1),
    temperature_c=st.floats(0, 100),
)


def step(
    signals: GroupSignals, previous: Decision | None = None, config: AllocationConfig = CONFIG
) -> Decision:
    snapshot = Snapshot(round_number=1, time_s=0.0, groups={"phones": signals})
    return decide(config, KINDS, snapshot, previous)


def level(decision: Decision) -> Level:
    return decision.allocations["phones"].level


def at_level(wanted: Level, calm_rounds: int = 0) -> Decision:
    """Return a decision that stands at a level, with every signal seen."""
    cpu = dict(zip(Level, (0.1, 0.5, 0.7, 0.95), strict=True))[wanted]
    decision = step(replace(CALM, cpu_ratio=cpu))
    memory = Memory(calm_rounds=calm_rounds, seen=frozenset(NAMES))
    return replace(decision, memory={"phones": memory})


def test_static_gives_every_group_the_configured_level() -> None:
    config = AllocationConfig(policy="static", level="medium")
    decision = step(replace(CALM, cpu_ratio=0.99), config=config)
    assert level(decision) is Level.MEDIUM
    assert decision.changed == ()


@pytest.mark.parametrize(
    ("change", "wanted", "reason"),
    [
        ({}, Level.HIGH, "all signals within bounds"),
        ({"cpu_ratio": 0.90}, Level.LOW, "cpu 0.90 above 0.65"),
        ({"cpu_ratio": 0.94}, Level.CRITICAL, "cpu 0.94 above 0.90"),
        ({"free_memory_bytes": 35e6}, Level.LOW, "free memory 35.0 MB below 40.0 MB"),
        ({"free_memory_bytes": 8e6}, Level.CRITICAL, "free memory 8.0 MB below 20.0 MB"),
        ({"battery_ratio": 0.4}, Level.MEDIUM, "battery 0.40 below 0.50"),
        ({"temperature_c": 76.0}, Level.CRITICAL, "temperature 76.0 C above 75.0 C"),
        ({"cpu_ratio": 0.5, "battery_ratio": 0.2}, Level.LOW, "battery 0.20 below 0.30"),
    ],
)
def test_the_worst_signal_decides_and_is_named(
    change: dict[str, float], wanted: Level, reason: str
) -> None:
    decision = step(replace(CALM, **change), at_level(Level.HIGH))
    assert level(decision) is wanted
    assert decision.reasons["phones"] == reason
    assert decision.changed == (() if wanted is Level.HIGH else ("phones",))


def test_a_group_never_seen_is_critical_and_then_rises() -> None:
    decision = step(GroupSignals())
    assert level(decision) is Level.CRITICAL
    assert decision.reasons["phones"] == "no signal seen yet"
    assert decision.changed == ()
    silent = step(GroupSignals(cpu_ratio=math.nan), decision)
    assert level(silent) is Level.CRITICAL
    assert level(step(CALM, silent)) is Level.LOW


def test_a_signal_that_falls_silent_holds_the_level() -> None:
    decision = at_level(Level.LOW)
    held = step(replace(CALM, temperature_c=None), decision)
    assert level(held) is Level.LOW
    assert held.reasons["phones"] == "temperature missing: level held, round 1 of 2"
    assert level(step(replace(CALM, temperature_c=None, cpu_ratio=0.95), held)) is Level.CRITICAL
    assert level(step(CALM, held)) is Level.MEDIUM


def test_a_signal_that_never_was_does_not_hold_the_level() -> None:
    decision = step(GroupSignals(cpu_ratio=0.95))
    assert level(step(GroupSignals(cpu_ratio=0.1), decision)) is Level.LOW


def test_a_group_missing_from_the_snapshot_keeps_its_level() -> None:
    empty = Snapshot(round_number=2, time_s=0.0, groups={})
    decision = decide(CONFIG, KINDS, empty, at_level(Level.MEDIUM))
    assert level(decision) is Level.MEDIUM


def test_rising_takes_calm_rounds_in_a_row_and_one_level_at_a_time() -> None:
    decision = at_level(Level.CRITICAL)
    seen = []
    for cpu in (0.1, 0.1, 0.85, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1):
        decision = step(replace(CALM, cpu_ratio=cpu), decision, PATIENT)
        seen.append(level(decision).value)
    assert seen == ["critical"] * 5 + ["low"] * 3 + ["medium"]


def test_an_obstacle_to_rising_is_named() -> None:
    decision = step(replace(CALM, cpu_ratio=0.85), at_level(Level.CRITICAL))
    assert decision.reasons["phones"] == "cpu 0.85 not yet down to 0.81"
    decision = step(replace(CALM, battery_ratio=0.16), at_level(Level.CRITICAL))
    assert decision.reasons["phones"] == "battery 0.160 not yet up to 0.165"


def test_a_full_battery_clears_every_bound() -> None:
    thresholds = ThresholdsConfig(battery_ratio=(0.98, 0.3, 0.15))
    config = AllocationConfig(thresholds=thresholds)
    decision = step(replace(CALM, battery_ratio=0.97), config=config)
    assert level(decision) is Level.MEDIUM
    assert level(step(CALM, decision, config)) is Level.HIGH


@given(first=ANY_SIGNALS, second=ANY_SIGNALS, start=st.sampled_from(Level))
def test_any_signals_at_all_give_a_decision(
    first: GroupSignals, second: GroupSignals, start: Level
) -> None:
    fresh = step(second, step(first))
    assert level(fresh) in Level
    settled = step(second, step(first, at_level(start)))
    assert settled.reasons["phones"]
    assert settled == step(second, step(first, at_level(start)))


@given(
    better=REAL_SIGNALS,
    other=REAL_SIGNALS,
    start=st.sampled_from(Level),
    calm_rounds=st.integers(0, 3),
    config=st.sampled_from((CONFIG, PATIENT)),
    mask=st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()),
)
def test_worse_signals_never_give_a_higher_level(
    better: GroupSignals,
    other: GroupSignals,
    start: Level,
    calm_rounds: int,
    config: AllocationConfig,
    mask: tuple[bool, ...],
) -> None:
    worst_of = dict(zip(NAMES, (max, min, min, max), strict=True))
    pairs = {name: (getattr(better, name), getattr(other, name)) for name in NAMES}
    changes = {
        name: worst_of[name](pairs[name]) for name, on in zip(NAMES, mask, strict=True) if on
    }
    worse = replace(better, **changes)
    previous = at_level(start, calm_rounds)
    assert level(step(worse, previous, config)) <= level(step(better, previous, config))
    assert level(step(worse)) <= level(step(better))


@given(signals=REAL_SIGNALS, start=st.sampled_from(Level))
def test_a_level_falls_at_once_and_rises_by_one(signals: GroupSignals, start: Level) -> None:
    wanted = level(step(signals))
    after = level(step(signals, at_level(start)))
    if wanted < start:
        assert after is wanted
    else:
        assert start <= after <= start.raised()


# Each bound of each signal, and the range around it that stays clear of the other bounds.
BANDS = (
    [("cpu_ratio", bound, bound * 0.9, bound * 1.09) for bound in (0.40, 0.65, 0.90)]
    + [("free_memory_bytes", bound, bound * 0.91, bound * 1.1) for bound in (60e6, 40e6, 20e6)]
    + [("battery_ratio", bound, bound * 0.91, bound * 1.1) for bound in (0.50, 0.30, 0.15)]
    + [("temperature_c", bound, bound * 0.9, bound * 1.09) for bound in (45.0, 60.0, 75.0)]
)


@given(
    band=st.sampled_from(BANDS),
    places=st.lists(st.floats(0.001, 0.999), min_size=2, max_size=40),
)
def test_a_signal_within_the_band_of_a_bound_changes_the_level_at_most_once(
    band: tuple[str, float, float, float], places: list[float]
) -> None:
    name, _, low, high = band
    decision: Decision | None = None
    levels = []
    for place in places:
        signals = replace(CALM, **{name: low + (high - low) * place})
        decision = step(signals, decision)
        levels.append(level(decision))
    changes = sum(a is not b for a, b in pairwise(levels))
    assert changes <= 1


def test_a_scripted_load_falls_to_critical_at_once_and_comes_back() -> None:
    load = TraceConfig(kind="steps", steps=((0.0, 0.2), (180.0, 0.95), (300.0, 0.2)))
    group = GroupConfig(name="phones", profile="phone", load=load)
    fleet = Fleet(FleetConfig(devices=10, groups=(group,)), seed=7)
    decision, seen = None, []
    for _ in range(10):
        means = fleet.group_means(fleet.time_s)["phones"]
        signals = GroupSignals(**{name: getattr(means, name) for name in NAMES})
        decision = step(signals, decision)
        seen.append(level(decision).value)
        fleet.advance(60.0, np.zeros(fleet.size))
    assert seen == ["high"] * 3 + ["critical"] * 2 + ["low", "medium"] + ["high"] * 3


def test_a_microcontroller_is_always_critical() -> None:
    fleet = Fleet(
        FleetConfig(devices=4, groups=(GroupConfig(name="phones", profile="microcontroller"),)), 7
    )
    means = fleet.group_means(0.0)["phones"]
    decision = step(GroupSignals(**{name: getattr(means, name) for name in NAMES}))
    assert level(decision) is Level.CRITICAL


@given(signals=ANY_SIGNALS, start=st.sampled_from(Level))
def test_a_decision_survives_a_checkpoint(signals: GroupSignals, start: Level) -> None:
    decision = step(signals, at_level(start), PATIENT)
    again = Decision.from_plain(json.loads(json.dumps(decision.to_plain(), allow_nan=False)))
    assert again == decision
    assert step(CALM, again, PATIENT) == step(CALM, decision, PATIENT)


@pytest.mark.parametrize("plain", [{}, {"allocations": [], "memory": {}}, {"allocations": None}])
def test_a_wrong_checkpoint_is_refused(plain: dict[str, object]) -> None:
    with pytest.raises(CheckpointError, match="allocation decision"):
        Decision.from_plain(plain)


def test_a_wrong_allocation_in_a_checkpoint_is_refused() -> None:
    plain = step(CALM).to_plain()
    plain["allocations"]["phones"]["bits"] = 3
    with pytest.raises(CheckpointError, match="out of range"):
        Decision.from_plain(plain)
