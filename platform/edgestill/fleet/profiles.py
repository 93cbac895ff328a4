"""Device profiles: what a class of devices can compute, hold, send, and how it heats."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from edgestill.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceProfile:
    """One class of devices.

    Attributes:
        name: the name that a configuration uses.
        description: one line about the device that the figures come from.
        flops_per_s: floating-point rate that training on the whole CPU sustains.
        memory_bytes: memory that a training process may use when nothing else runs.
        battery_j: energy of a full battery; None on mains.
        idle_power_w: power when nothing runs, always drawn.
        compute_power_w: power of training, above idle.
        uplink_bytes_per_s: rate towards the cloud.
        downlink_bytes_per_s: rate from the cloud.
        round_trip_s: what each transfer waits once.
        radio_power_w: power of a transfer, above idle.
        thermal_resistance_c_per_w: steady rise above ambient for each watt drawn.
        thermal_time_constant_s: time to come within 1/e of the steady rise.
        ambient_c: temperature of the surroundings.
        throttle_c: temperature above which the clock is halved.
        sources: where each figure comes from, by field name.
    """

    name: str
    description: str
    flops_per_s: float
    memory_bytes: float
    battery_j: float | None
    idle_power_w: float
    compute_power_w: float
    uplink_bytes_per_s: float
    downlink_bytes_per_s: float
    round_trip_s: float
    radio_power_w: float
    thermal_resistance_c_per_w: float
    thermal_time_constant_s: float
    ambient_c: float
    throttle_c: float
    sources: Mapping[str, str]


def profile(name: str) -> DeviceProfile:
    """Return a profile by name.

    Raises:
        ConfigurationError: no such profile; the message names those that there are.
    """
    known = profiles()
    if name not in known:
        raise ConfigurationError(f"unknown device profile {name!r}; known: {', '.join(known)}")
    return known[name]


@cache
def profiles() -> Mapping[str, DeviceProfile]:
    """Return every profile by name, read once from ``profiles.yaml`` beside this module."""
    text = files("edgestill.fleet").joinpath("profiles.yaml").read_text(encoding="utf-8")
    tree: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return {name: _parse(name, entry) for name, entry in tree.items()}


def _parse(name: str, entry: Mapping[str, Any]) -> DeviceProfile:
    figures = {key: figure for key, figure in entry.items() if key != "description"}
    return DeviceProfile(
        name=name,
        description=entry["description"],
        sources={key: figure["source"] for key, figure in figures.items()},
        **{key: figure["value"] for key, figure in figures.items()},
    )
