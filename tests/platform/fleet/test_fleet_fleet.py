import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgestill.config import FleetConfig, GroupConfig, TraceConfig
from edgestill.errors import CheckpointError, ConfigurationError
from edgestill.fleet import PANEL_SIZE, Fleet

WALK = TraceConfig(kind="walk")
GROUPS = (
    GroupConfig(name="phones", profile="phone", share=3, load=WALK),
    GroupConfig(name="boards", profile="single_board_computer", link=WALK),
    GroupConfig(name="chips", profile="microcontroller", availability=TraceConfig(value=0.4)),
)


def build(devices: int = 64, groups: tuple[GroupConfig, ...] = GROUPS, seed: int = 7) -> Fleet:
    return Fleet(FleetConfig(devices=devices, groups=groups), seed)


def test_a_new_fleet_is_charged_and_at_rest() -> None:
    fleet = build()
    means = fleet.group_means(0.0)
    assert {name: one.battery_ratio for name, one in means.items()} == {
        "phones": 1.0,
        "boards": 1.0,
        "chips": 1.0,
    }
    assert means["boards"].temperature_c == pytest.approx(25 + 5 * 2.1)
    assert sum(one.devices for one in means.values()) == fleet.size
    fleet.advance(3600.0, np.zeros(fleet.size))
    assert fleet.group_means(0.0)["boards"].temperature_c == pytest.approx(25 + 5 * 2.1)


def test_groups_and_profiles_agree() -> None:
    fleet = build()
    for name, key in (("phones", "phone"), ("chips", "microcontroller")):
        for device in fleet.members(name).tolist():
            assert fleet.group_of(device) == name
            assert fleet.profile_of(device).name == key
    with pytest.raises(KeyError):
        fleet.members("toasters")


def test_many_vitals_are_those_of_each_in_the_order_asked() -> None:
    fleet = build()
    order = [5, 0, 63, 17, 5]
    assert fleet.vitals_many(order, 77.0) == [fleet.vitals(device, 77.0) for device in order]
    assert fleet.vitals_many([], 77.0) == []


def test_vitals_and_the_available_array_agree() -> None:
    fleet = build(200)
    one_by_one = [vitals.available for vitals in fleet.vitals_many(range(200), 500.0)]
    assert fleet.available(500.0).tolist() == one_by_one


def test_availability_is_a_probability_that_holds_for_a_slot() -> None:
    fleet = build(20_000)
    chips = fleet.members("chips")
    now, same_slot, next_slot = (fleet.available(t)[chips] for t in (0.0, 59.0, 60.0))
    assert now.mean() == pytest.approx(0.4, abs=0.03)
    assert (now == same_slot).all()
    assert (now & next_slot).mean() == pytest.approx(0.16, abs=0.03)


def test_load_holds_memory_so_a_chip_has_little() -> None:
    fleet = build(groups=(GroupConfig(name="chips", profile="microcontroller"),))
    vitals = fleet.vitals(0, 0.0)
    assert vitals.free_memory_bytes == pytest.approx(8e6 * 0.8)


def test_a_mains_device_never_drains_and_an_empty_battery_is_unavailable() -> None:
    fleet = build()
    fleet.advance(10.0, np.full(fleet.size, 1e6))
    boards, phones = fleet.members("boards"), fleet.members("phones")
    assert fleet.vitals(int(boards[0]), 0.0).battery_ratio == 1.0
    assert fleet.vitals(int(phones[0]), 0.0).battery_ratio == 0.0
    assert not fleet.available(0.0)[phones].any()
    assert fleet.available(0.0)[boards].any()


def test_idling_alone_drains_a_battery() -> None:
    fleet = build()
    phone = int(fleet.members("phones")[0])
    fleet.advance(3600.0, np.zeros(fleet.size))
    expected = 1 - 0.27 * 3600 / fleet.profile_of(phone).battery_j  # type: ignore[operator]
    assert fleet.vitals(phone, 0.0).battery_ratio == pytest.approx(expected)
    assert fleet.time_s == 3600.0


def test_a_dead_link_makes_a_device_unavailable() -> None:
    group = GroupConfig(name="phones", profile="phone", link=TraceConfig(value=0.0))
    assert not build(groups=(group,)).available(0.0).any()


def test_heat_follows_the_rc_model() -> None:
    group = GroupConfig(name="boards", profile="single_board_computer")
    fleet = build(devices=1, groups=(group,))
    fleet.advance(300.0, np.array([300.0 * 4.3]))
    resting, steady = 25 + 5 * 2.1, 25 + 5 * 6.4
    expected = steady + (resting - steady) * np.exp(-1.0)
    assert fleet.vitals(0, 0.0).temperature_c == pytest.approx(expected)
    fleet.advance(1e6, np.zeros(1))
    assert fleet.vitals(0, 0.0).temperature_c == pytest.approx(resting)


def test_an_empty_device_cools_to_the_ambient_temperature() -> None:
    fleet = build(devices=1, groups=(GroupConfig(name="phones", profile="phone"),))
    fleet.advance(1.0, np.array([1e9]))
    fleet.advance(1e6, np.zeros(1))
    assert fleet.vitals(0, 0.0).temperature_c == pytest.approx(25.0)


@given(parts=st.integers(2, 20), watts=st.floats(0.0, 5.0))
def test_time_in_parts_equals_time_at_once(parts: int, watts: float) -> None:
    whole, split = build(8), build(8)
    whole.advance(120.0, np.full(8, 120.0 * watts))
    for _ in range(parts):
        split.advance(120.0 / parts, np.full(8, 120.0 * watts / parts))
    for name, array in whole.state().items():
        np.testing.assert_allclose(split.state()[name], array, rtol=1e-9)


@pytest.mark.parametrize(
    ("duration_s", "energy_j"),
    [
        (-1.0, np.zeros(64)),
        (np.nan, np.zeros(64)),
        (1.0, np.zeros(3)),
        (1.0, np.full(64, -1.0)),
        (1.0, np.full(64, np.inf)),
    ],
)
def test_impossible_time_or_energy_changes_nothing(
    duration_s: float, energy_j: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> None:
    fleet = build()
    before = fleet.state()
    with pytest.raises(ValueError, match="expected"):
        fleet.advance(duration_s, energy_j)
    for name, array in fleet.state().items():
        np.testing.assert_array_equal(array, before[name])


def test_a_restored_fleet_goes_on_alike() -> None:
    first, second = build(), build()
    first.advance(100.0, np.arange(64.0))
    second.restore(first.state())
    for fleet in (first, second):
        fleet.advance(50.0, np.ones(64))
    assert first.time_s == second.time_s == 150.0
    assert first.vitals_many(range(64), 150.0) == second.vitals_many(range(64), 150.0)


def test_a_state_is_a_copy() -> None:
    fleet = build()
    fleet.state()["temperature_c"][:] = -5.0
    assert fleet.vitals(0, 0.0).temperature_c > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"battery_j": np.zeros(3)}, r"battery_j has shape \(3,\)"),
        ({"battery_j": np.full(64, -1.0)}, "battery_j leaves"),
        ({"battery_j": np.full(64, np.nan)}, "battery_j leaves"),
        ({"temperature_c": np.full(64, np.nan)}, "must be finite"),
        ({"time_s": np.array([np.inf])}, "must be finite"),
    ],
)
def test_a_wrong_state_is_refused(change: dict[str, np.ndarray], message: str) -> None:  # type: ignore[type-arg]
    fleet = build()
    with pytest.raises(CheckpointError, match=message):
        fleet.restore({**fleet.state(), **change})
    with pytest.raises(CheckpointError, match="time_s is missing"):
        fleet.restore({"battery_j": np.zeros(64), "temperature_c": np.zeros(64)})


def test_a_fleet_depends_on_its_seed_alone() -> None:
    one, same, other = build(seed=1), build(seed=1), build(seed=2)
    assert one.vitals_many(range(64), 9.0) == same.vitals_many(range(64), 9.0)
    assert one.vitals_many(range(64), 9.0) != other.vitals_many(range(64), 9.0)


def test_means_come_from_a_bounded_panel_and_are_close() -> None:
    fleet = build(20_000)
    phones = fleet.members("phones")
    assert len(phones) > PANEL_SIZE
    exact = np.mean([vitals.cpu_ratio for vitals in fleet.vitals_many(phones, 0.0)])
    assert fleet.group_means(0.0)["phones"].cpu_ratio == pytest.approx(exact, abs=0.08)
    assert fleet.group_means(0.0) == build(20_000).group_means(0.0)


def test_the_mean_of_equal_loads_is_exact() -> None:
    group = GroupConfig(name="phones", profile="phone", load=TraceConfig(value=0.9))
    assert build(255, (group,)).group_means(0.0)["phones"].cpu_ratio == 0.9


def test_a_group_too_small_for_a_device_has_no_signals() -> None:
    fleet = build(devices=1)
    assert list(fleet.group_means(0.0)) == ["phones"]


def test_a_million_devices_are_built_and_read_at_once() -> None:
    start = time.perf_counter()
    fleet = build(1_000_000)
    fleet.group_means(0.0)
    assert time.perf_counter() - start < 2.0


def test_wrong_groups_name_their_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"fleet.groups.0.profile: unknown device profile"):
        build(groups=(GroupConfig(name="a", profile="toaster"),))
    steep = GroupConfig(name="a", profile="phone", load=TraceConfig(value=1.5))
    with pytest.raises(ConfigurationError, match=r"fleet.groups.0.load: expected values in 0..1"):
        build(groups=(steep,))
    back = TraceConfig(kind="steps", steps=((1.0, 0.1), (0.0, 0.2)))
    with pytest.raises(ConfigurationError, match=r"fleet.groups.0.link.steps: times must increase"):
        build(groups=(GroupConfig(name="a", profile="phone", link=back),))
    path = tmp_path / "load.csv"
    path.write_text("time_s,value\n0,40\n")
    csv = GroupConfig(name="a", profile="phone", load=TraceConfig(kind="csv", path=path))
    with pytest.raises(ConfigurationError, match=r"load \(.*load.csv\): expected values in 0..1"):
        build(groups=(csv,))
