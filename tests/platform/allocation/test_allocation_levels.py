import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgestill.allocation import Allocation, Level, allocation_of
from edgestill.config import LevelConfig, LevelsConfig
from edgestill.errors import FrameError

LEVELS = LevelsConfig()


def test_levels_are_ordered_best_first() -> None:
    assert Level.HIGH > Level.MEDIUM > Level.LOW > Level.CRITICAL
    assert Level.LOW <= Level.LOW <= Level.MEDIUM
    assert Level.LOW >= "critical"
    assert sorted(Level) == [Level.CRITICAL, Level.LOW, Level.MEDIUM, Level.HIGH]
    assert [level.severity for level in Level] == [0, 1, 2, 3]


def test_neighbours_stop_at_the_ends() -> None:
    assert Level.HIGH.raised() is Level.HIGH
    assert Level.HIGH.lowered() is Level.MEDIUM
    assert Level.CRITICAL.lowered() is Level.CRITICAL
    assert Level.CRITICAL.raised() is Level.LOW


def test_a_level_is_restricted_to_the_kinds_that_there_are() -> None:
    allocation = allocation_of(LEVELS, Level.MEDIUM, ("audio", "visual"))
    assert list(allocation.modalities.items()) == [("visual", 1.0), ("audio", 0.5)]
    assert (allocation.width, allocation.bits, allocation.epochs) == (0.75, 8, 2)


def test_a_level_without_any_of_the_kinds_keeps_the_first_whole() -> None:
    assert allocation_of(LEVELS, Level.LOW, ("sensor", "audio")).modalities == {"audio": 1.0}
    assert allocation_of(LEVELS, Level.CRITICAL, ("sensor",)).modalities == {"sensor": 1.0}
    with pytest.raises(ValueError, match="at least one of visual"):
        allocation_of(LEVELS, Level.LOW, ())


def test_participation_comes_from_the_level() -> None:
    assert allocation_of(LEVELS, Level.CRITICAL, ("visual",)).participation == 0.5


def test_equal_allocations_have_equal_keys_and_survive_pickling() -> None:
    one = allocation_of(LEVELS, Level.HIGH, ("visual", "audio"))
    same = pickle.loads(pickle.dumps(one))  # noqa: S301
    assert same == one
    assert {one.key, same.key} == {one.key}
    assert allocation_of(LEVELS, Level.HIGH, ("visual",)).key != one.key


@given(
    level=st.sampled_from(Level),
    shares=st.dictionaries(
        st.sampled_from(("visual", "audio", "sensor")), st.floats(0.001, 1.0), min_size=1
    ),
    bits=st.sampled_from((4, 8, 16)),
)
def test_a_record_holds_the_whole_allocation(
    level: Level,
    shares: dict,  # type: ignore[type-arg]
    bits: int,
) -> None:
    limits = LevelConfig.model_validate(
        {"modalities": shares, "width": 0.5, "bits": bits, "epochs": 3, "participation": 0.25}
    )
    levels = LevelsConfig(high=limits, medium=limits, low=limits, critical=limits)
    allocation = allocation_of(levels, level, tuple(shares))
    record = json.loads(json.dumps(allocation.to_record()))
    assert Allocation.from_record(record) == allocation


@pytest.mark.parametrize(
    "change",
    [
        {"level": "splendid"},
        {"modalities": []},
        {"modalities": ["smell"], "shares": [1.0]},
        {"modalities": ["visual", "audio"], "shares": [1.0]},
        {"shares": None},
        {"width": float("nan")},
        {"width": 0.0},
        {"bits": 7},
        {"epochs": float("inf")},
        {"epochs": 0},
        {"participation": 1.5},
        {"level": None},
    ],
)
def test_a_wrong_record_is_refused(change: dict[str, object]) -> None:
    record = allocation_of(LEVELS, Level.HIGH, ("visual",)).to_record()
    with pytest.raises(FrameError, match="allocation record"):
        Allocation.from_record({**record, **change})


def test_a_record_without_a_key_is_refused() -> None:
    with pytest.raises(FrameError, match="KeyError"):
        Allocation.from_record({})


def test_a_record_is_what_flower_takes() -> None:
    app = pytest.importorskip("flwr.app")
    allocation = allocation_of(LEVELS, Level.MEDIUM, ("visual", "audio", "sensor"))
    record = app.ConfigRecord(allocation.to_record())
    assert Allocation.from_record(record) == allocation
