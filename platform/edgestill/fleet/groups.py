"""A group of the fleet, made from its configuration: profile, traces, members."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgestill.config import FleetConfig, GroupConfig, TraceConfig
from edgestill.errors import ConfigurationError
from edgestill.fleet.noise import uniform
from edgestill.fleet.profiles import DeviceProfile, profile
from edgestill.fleet.traces import FleetTrace, fleet_trace
from edgestill.seeds import derive_seed, generator

# A group's signals are means over at most this many of its devices: the standard error of a ratio
# is then below 0.032, and a round costs the same at any fleet size.
PANEL_SIZE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Devices of one profile with their traces; ``members`` and ``panel`` hold device indices."""

    config: GroupConfig
    profile: DeviceProfile
    load: FleetTrace
    availability: FleetTrace
    link: FleetTrace
    reach_key: int
    members: NDArray[np.int64]
    panel: NDArray[np.int64]

    def reachable(self, devices: NDArray[np.int64], time_s: float) -> NDArray[np.bool_]:
        """Return which devices are reachable, shape as ``devices``.

        Drawn with the probability that the trace has, anew for each slot of its ``step_s``.
        """
        probability = self.availability.at(devices, time_s)
        slot = math.floor(time_s / self.config.availability.step_s)
        drawn: NDArray[np.bool_] = uniform(self.reach_key, devices, slot) < probability
        return drawn


def build_groups(
    config: FleetConfig, seed: int, group_index: NDArray[np.int32]
) -> tuple[Group, ...]:
    """Return the groups of a fleet in the configuration's order.

    Raises:
        ConfigurationError: an unknown profile, or a trace that leaves 0..1; the key is named.
        DataError: a CSV trace that cannot be read; file and line are named.
    """
    return tuple(
        _group(number, group, seed, np.flatnonzero(group_index == number))
        for number, group in enumerate(config.groups)
    )


def _group(number: int, config: GroupConfig, seed: int, members: NDArray[np.int64]) -> Group:
    key = f"fleet.groups.{number}"
    return Group(
        config=config,
        profile=_profile(key, config.profile),
        load=_trace(f"{key}.load", config.load, seed, "load"),
        availability=_trace(f"{key}.availability", config.availability, seed, "availability"),
        link=_trace(f"{key}.link", config.link, seed, "link"),
        reach_key=derive_seed(seed, "fleet/reachable"),
        members=members,
        panel=_panel(seed, number, members),
    )


def _profile(key: str, name: str) -> DeviceProfile:
    try:
        return profile(name)
    except ConfigurationError as error:
        raise ConfigurationError(f"{key}.profile: {error}") from error


def _trace(key: str, config: TraceConfig, seed: int, purpose: str) -> FleetTrace:
    try:
        built = fleet_trace(config, seed=seed, purpose=purpose)
    except ConfigurationError as error:
        raise ConfigurationError(f"{key}.{error}") from error
    low, high = built.bounds
    if low < 0.0 or high > 1.0:
        where = f"{key} ({config.path})" if config.kind == "csv" else key
        raise ConfigurationError(f"{where}: expected values in 0..1, got {low}..{high}")
    return built


def _panel(seed: int, number: int, members: NDArray[np.int64]) -> NDArray[np.int64]:
    if len(members) <= PANEL_SIZE:
        return members
    rng = generator(seed, "fleet/panel", device=number)
    chosen = rng.choice(len(members), PANEL_SIZE, replace=False, shuffle=False)
    return members[np.sort(chosen)]
