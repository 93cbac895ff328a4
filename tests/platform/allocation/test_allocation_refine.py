import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgestill.allocation import GroupSignals, Level, allocation_of, pressure, refine
from edgestill.config import AllocationConfig, LevelConfig, LevelsConfig, ModalityKind
from edgestill.fleet import Vitals

CONFIG = AllocationConfig()
KINDS: tuple[ModalityKind, ...] = ("visual", "audio", "sensor")
CALM = Vitals(
    cpu_ratio=0.1,
    free_memory_bytes=1e9,
    battery_ratio=1.0,
    temperature_c=25.0,
    bandwidth_ratio=1.0,
    available=True,
)
ANY = st.none() | st.floats(allow_nan=True, allow_infinity=True)
ANY_SIGNALS = st.builds(
    GroupSignals, cpu_ratio=ANY, free_memory_bytes=ANY, battery_ratio=ANY, temperature_c=ANY
)


def test_a_calm_device_takes_its_groups_allocation() -> None:
    allocation = allocation_of(CONFIG.levels, Level.MEDIUM, KINDS)
    assert refine(allocation, CALM, CONFIG) is allocation


def test_a_device_low_on_battery_takes_less_than_its_group() -> None:
    allocation = allocation_of(CONFIG.levels, Level.HIGH, KINDS)
    refined = refine(allocation, replace(CALM, battery_ratio=0.1), CONFIG)
    assert refined == allocation_of(CONFIG.levels, Level.CRITICAL, KINDS)


def test_no_kind_comes_back_that_the_group_does_not_have() -> None:
    only_audio = LevelConfig(modalities={"audio": 1.0}, width=1.0, bits=8, epochs=2)
    config = AllocationConfig(levels=LevelsConfig(high=only_audio))
    allocation = allocation_of(config.levels, Level.HIGH, KINDS)
    refined = refine(allocation, replace(CALM, cpu_ratio=0.95), config)
    assert refined.level is Level.CRITICAL
    assert refined.modalities == {"audio": 1.0}


def test_the_static_policy_holds_on_the_device_too() -> None:
    config = AllocationConfig(policy="static")
    allocation = allocation_of(config.levels, Level.HIGH, KINDS)
    assert refine(allocation, replace(CALM, cpu_ratio=1.0), config) is allocation


@given(level=st.sampled_from(Level), readings=ANY_SIGNALS)
def test_a_device_is_never_above_its_group(level: Level, readings: GroupSignals) -> None:
    allocation = allocation_of(CONFIG.levels, level, KINDS)
    refined = refine(allocation, readings, CONFIG)
    assert refined.level <= level
    assert refined.modalities.keys() <= allocation.modalities.keys()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, 0.0),
        ({"cpu_ratio": 0.40}, 0.0),
        ({"cpu_ratio": 0.65}, 0.5),
        ({"cpu_ratio": 0.90}, 1.0),
        ({"cpu_ratio": 1.0}, 1.0),
        ({"free_memory_bytes": 30e6}, 0.75),
        ({"battery_ratio": 0.325}, 0.5),
        ({"temperature_c": 48.0}, 0.1),
        ({"temperature_c": 48.0, "cpu_ratio": 0.65}, 0.5),
    ],
)
def test_golden_pressures(change: dict[str, float], expected: float) -> None:
    calm = GroupSignals(cpu_ratio=0.1, free_memory_bytes=1e9, battery_ratio=1.0, temperature_c=25.0)
    assert pressure(CONFIG.thresholds, replace(calm, **change)) == pytest.approx(expected)


@given(readings=ANY_SIGNALS)
def test_pressure_is_total_and_within_0_and_1(readings: GroupSignals) -> None:
    assert 0.0 <= pressure(CONFIG.thresholds, readings) <= 1.0


def test_pressure_without_any_signal_is_the_worst() -> None:
    assert pressure(CONFIG.thresholds, GroupSignals(cpu_ratio=math.nan)) == 1.0
