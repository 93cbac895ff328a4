import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgestill.config import TraceConfig
from edgestill.errors import ConfigurationError, DataError
from edgestill.fleet import fleet_trace, trace

WALK = TraceConfig(kind="walk", low=0.2, high=0.8, step_s=60.0)


def at(config: TraceConfig, time_s: float, *, device: int = 0, seed: int = 7) -> float:
    return trace(config, seed=seed, purpose="load", device=device).at(time_s)


def test_constant_is_its_value() -> None:
    assert at(TraceConfig(value=0.3), 1e12) == 0.3


def test_diurnal_swings_between_low_and_high() -> None:
    config = TraceConfig(kind="diurnal", low=0.1, high=0.9, period_s=100.0)
    assert at(config, 0.0) == pytest.approx(0.1)
    assert at(config, 25.0) == pytest.approx(0.5)
    assert at(config, 50.0) == pytest.approx(0.9)
    assert at(config, 1050.0) == pytest.approx(0.9)


def test_steps_hold_from_their_time_on() -> None:
    config = TraceConfig(kind="steps", steps=((10.0, 0.2), (20.0, 0.95), (30.0, 0.1)))
    times_s = (0.0, 10.0, 19.9, 20.0, 29.9, 30.0, 1e9)
    assert [at(config, t) for t in times_s] == [0.2, 0.2, 0.2, 0.95, 0.95, 0.1, 0.1]


def test_steps_out_of_order_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="times must increase"):
        at(TraceConfig(kind="steps", steps=((10.0, 0.2), (5.0, 0.3))), 0.0)


@given(time_s=st.floats(0.0, 1e15), device=st.integers(0, 10_000_000), seed=st.integers(0, 2**63))
def test_a_walk_stays_within_its_bounds_and_repeats_itself(
    time_s: float, device: int, seed: int
) -> None:
    value = at(WALK, time_s, device=device, seed=seed)
    assert 0.2 <= value <= 0.8
    assert value == at(WALK, time_s, device=device, seed=seed)


@given(time_s=st.floats(0.0, 1e7))
def test_a_walk_is_continuous(time_s: float) -> None:
    # The steepest that eight octaves can be is 0.34 of the range in a step of 60 s.
    assert abs(at(WALK, time_s + 0.6) - at(WALK, time_s)) <= 0.6 * 0.35 * 0.01 + 1e-9


def test_a_walk_wanders_slowly_but_far() -> None:
    values = np.array([at(WALK, 60.0 * step, device=3) for step in range(400)])
    assert np.abs(np.diff(values)).mean() < 0.05
    assert np.ptp(values) > 0.3


def test_walks_of_devices_are_uniform_and_differ_by_seed_and_purpose() -> None:
    devices = np.arange(20_000)
    load = fleet_trace(WALK, seed=1, purpose="load").at(devices, 1234.5)
    counts = np.histogram(load, bins=10, range=(0.2, 0.8))[0]
    assert counts.min() > 1800
    for other in (
        fleet_trace(WALK, seed=2, purpose="load"),
        fleet_trace(WALK, seed=1, purpose="link"),
    ):
        correlation = np.corrcoef(load, other.at(devices, 1234.5))[0, 1]
        assert abs(correlation) < 0.03


def test_one_device_and_the_whole_fleet_agree() -> None:
    whole = fleet_trace(WALK, seed=7, purpose="load").at(np.arange(50), 99.0)
    assert whole.tolist() == [at(WALK, 99.0, device=device) for device in range(50)]


def csv_trace(folder: Path, text: str) -> TraceConfig:
    path = folder / "load.csv"
    path.write_text(text, encoding="utf-8")
    return TraceConfig(kind="csv", path=path)


def test_csv_holds_each_value_from_its_time_on(tmp_path: Path) -> None:
    config = csv_trace(tmp_path, "time_s,value\n0,0.1\n\n60,0.95\n120,0.2\n")
    assert [at(config, t) for t in (0.0, 59.0, 60.0, 200.0)] == [0.1, 0.1, 0.95, 0.2]


def test_a_changed_csv_is_read_again(tmp_path: Path) -> None:
    assert at(csv_trace(tmp_path, "time_s,value\n0,0.1\n"), 0.0) == 0.1
    config = csv_trace(tmp_path, "time_s,value\n0,0.2\n")
    assert config.path is not None
    os.utime(config.path, ns=(1, 1))
    assert at(config, 0.0) == 0.2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "load.csv: holds no values"),
        ("time_s,value\n", "load.csv: holds no values"),
        ("seconds,load\n0,1\n", "load.csv:1: expected the header"),
        ("time_s,value\n0,0.1\n5\n", "load.csv:3: expected two finite numbers"),
        ("time_s,value\n0,0.1\n5,much\n", "load.csv:3: .*'5,much'"),
        ("time_s,value\n0,nan\n", "load.csv:2: expected two finite numbers"),
        ("time_s,value\n5,0.1\n\n5,0.2\n", "load.csv:4: time_s 5.0 must be above 5.0"),
    ],
)
def test_a_wrong_csv_names_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        at(csv_trace(tmp_path, text), 0.0)


def test_a_missing_csv_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: cannot be read"):
        at(TraceConfig(kind="csv", path=tmp_path / "none.csv"), 0.0)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "load.csv").write_bytes(b"time_s,value\n0,\xff\xfe\n")
    with pytest.raises(DataError, match=r"load\.csv: cannot be read"):
        at(TraceConfig(kind="csv", path=tmp_path / "load.csv"), 0.0)


def test_random_access_costs_the_same_far_away() -> None:
    assert math.isfinite(at(WALK, 1e17))
