import dataclasses
import math

import pytest

from edgestill.errors import ConfigurationError
from edgestill.fleet import DeviceProfile, profile, profiles

REQUIRED = {"phone", "wearable", "camera_gateway", "single_board_computer", "microcontroller"}
FIGURES = {field.name for field in dataclasses.fields(DeviceProfile)} - {
    "name",
    "description",
    "sources",
}


def test_every_promised_class_of_device_is_there() -> None:
    assert set(profiles()) >= REQUIRED


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_every_figure_is_positive_and_has_a_source(name: str) -> None:
    one = profile(name)
    assert set(one.sources) == FIGURES
    assert all(len(source) >= 5 for source in one.sources.values())
    for figure in FIGURES:
        value = getattr(one, figure)
        if not (figure == "battery_j" and value is None):
            assert math.isfinite(value)
            assert value > 0


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_an_idle_device_never_throttles(name: str) -> None:
    one = profile(name)
    resting_c = one.ambient_c + one.thermal_resistance_c_per_w * one.idle_power_w
    assert resting_c < one.throttle_c


def test_an_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"'toaster'.*microcontroller"):
        profile("toaster")
