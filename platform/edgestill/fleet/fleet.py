"""The fleet: who the devices are, how they are now, and what time does to them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgestill.config import FleetConfig, GroupConfig
from edgestill.errors import CheckpointError
from edgestill.fleet.bodies import Floats, bodies
from edgestill.fleet.groups import Group, build_groups
from edgestill.fleet.profiles import DeviceProfile
from edgestill.fleet.reported import Reported, mean_of_known
from edgestill.fleet.roster import deal
from edgestill.fleet.spend import Vitals


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMeans:
    """Means of a group's vitals over its panel; ``devices`` counts the whole group."""

    devices: int
    cpu_ratio: float
    free_memory_bytes: float
    battery_ratio: float
    temperature_c: float
    bandwidth_ratio: float
    available_ratio: float


class Fleet:
    """All devices of a run on a virtual clock.

    Of each device only its group, its battery and its temperature are held; everything else is a
    pure function of (configuration, seed, device, time), generated when asked for. What a real
    device reports of itself stands in place of all that.

    Attributes:
        size: number of devices, N.
        groups: configuration of each group.
        group_index: group of each device as an index into ``groups``, shape [N].
        time_s: the virtual clock.
    """

    def __init__(self, config: FleetConfig, seed: int) -> None:
        """Deal the devices to their groups, charged and at rest, at time 0.

        Raises:
            ConfigurationError: an unknown profile, or a trace that leaves 0..1; the key is named.
            DataError: a CSV trace that cannot be read; file and line are named.
        """
        self.size = config.devices
        self.groups: tuple[GroupConfig, ...] = config.groups
        self.group_index = deal(config.devices, [group.share for group in config.groups])
        self.time_s = 0.0
        self._groups = build_groups(config, seed, self.group_index)
        self._bodies = bodies([group.profile for group in self._groups])
        self._battery_j: Floats = self._bodies.capacity_j[self.group_index]
        self._temperature_c: Floats = self._bodies.resting_c()[self.group_index]
        self._reported = Reported()

    def group_of(self, device: int) -> str:
        """Return the name of a device's group."""
        return self.groups[int(self.group_index[device])].name

    def profile_of(self, device: int) -> DeviceProfile:
        """Return a device's profile."""
        return self._groups[int(self.group_index[device])].profile

    def members(self, group: str) -> NDArray[np.int64]:
        """Return the devices of a group, ascending; raises KeyError for an unknown name."""
        return {one.config.name: one.members for one in self._groups}[group]

    def panel(self, group: str | None = None) -> NDArray[np.int64]:
        """Return the devices, ascending, that stand for a group, or those that do for any group.

        At most ``PANEL_SIZE`` of each; raises KeyError for an unknown name.
        """
        panels = {one.config.name: one.panel for one in self._groups}
        return np.sort(np.concatenate([*panels.values()])) if group is None else panels[group]

    def vitals(self, device: int, time_s: float) -> Vitals:
        """Return how a device is: its battery and temperature now, its traces at ``time_s``."""
        return self.vitals_many([device], time_s)[0]

    def vitals_many(
        self, devices: Sequence[int] | NDArray[np.int64], time_s: float
    ) -> list[Vitals]:
        """Return the vitals of many devices, in their order; far cheaper than one by one."""
        columns = self._all_columns(np.asarray(devices, dtype=np.int64), time_s)
        return [_vitals(*row) for row in columns.T.tolist()]

    def vitals_columns(self, devices: NDArray[np.int64], time_s: float) -> dict[str, Floats]:
        """Return the vitals of many devices as arrays [n] by the names that ``Vitals`` has."""
        return dict(zip(_COLUMNS, self._all_columns(devices, time_s), strict=True))

    def report(self, device: int, vitals: Vitals) -> None:
        """Take what a real device read of itself; a restored state does not hold it."""
        self._reported.take(device, vitals)

    def available(self, time_s: float) -> NDArray[np.bool_]:
        """Return which devices can be asked for work at a time, shape [size].

        A device is reachable, or not, for whole slots of its availability's ``step_s``; an empty
        battery or a link of share 0 makes it unavailable too.
        """
        answer = self._battery_j > 0
        for group in self._groups:
            own = group.members
            answer[own] &= group.reachable(own, time_s) & (group.link.at(own, time_s) > 0)
        real, charged = self._reported.charged()
        answer[real] = charged
        return answer

    def available_among(self, devices: NDArray[np.int64], time_s: float) -> NDArray[np.bool_]:
        """Return :meth:`available` of some devices only, shape as ``devices``."""
        answer = self._battery_j[devices] > 0
        groups = self.group_index[devices]
        for number in np.unique(groups).tolist():
            own, group = np.flatnonzero(groups == number), self._groups[number]
            members = devices[own]
            answer[own] &= group.reachable(members, time_s) & (group.link.at(members, time_s) > 0)
        real, charged = self._reported.charged()
        known = np.flatnonzero(np.isin(devices, real))
        answer[known] = charged[np.searchsorted(real, devices[known])]
        return answer

    def group_means(self, time_s: float) -> Mapping[str, GroupMeans]:
        """Return the signals of each group that has devices, by its name.

        Means over a fixed, seeded panel of at most ``PANEL_SIZE`` devices of the group, whether
        they are reachable or not; readings that a device does not have (NaN) are left out.
        """
        means = {}
        for group in self._groups:
            if len(group.panel):
                columns = self._columns(group, group.panel, time_s)
                values = dict(zip(_COLUMNS, mean_of_known(columns).tolist(), strict=True))
                means[group.config.name] = GroupMeans(devices=len(group.members), **values)
        return means

    def advance(self, duration_s: float, energy_j: Floats) -> None:
        """Let time pass: batteries drain, devices heat or cool, the clock moves on.

        Args:
            duration_s: virtual time that passes, finite and not negative.
            energy_j: what each device spent in it above idle, shape [size], finite, not negative.

        Raises:
            ValueError: an argument of another shape or range; nothing has changed then.
        """
        spent_j = np.asarray(energy_j, dtype=np.float64)
        if spent_j.shape != (self.size,):
            raise ValueError(f"energy_j: expected shape ({self.size},), got {spent_j.shape}")
        if not (math.isfinite(duration_s) and duration_s >= 0):
            raise ValueError(f"duration_s: expected a finite time from 0 on, got {duration_s}")
        if not (np.isfinite(spent_j).all() and (spent_j >= 0).all()):
            raise ValueError("energy_j: expected finite energies from 0 on")
        self._battery_j, self._temperature_c = self._bodies.advance(
            self.group_index,
            self._battery_j,
            self._temperature_c,
            duration_s=duration_s,
            energy_j=spent_j,
        )
        self.time_s += duration_s

    def state(self) -> dict[str, NDArray[np.float64]]:
        """Return copies of all that changes, for a checkpoint.

        ``battery_j`` [size] (inf on mains), ``temperature_c`` [size] and ``time_s`` [1].
        """
        return {
            "battery_j": self._battery_j.copy(),
            "temperature_c": self._temperature_c.copy(),
            "time_s": np.array([self.time_s]),
        }

    def restore(self, state: Mapping[str, NDArray[np.float64]]) -> None:
        """Take up a state that :meth:`state` gave.

        Raises:
            CheckpointError: an array is missing, of another shape, or holds an impossible value;
                nothing has changed then.
        """
        battery_j = _checked(state, "battery_j", self.size)
        temperature_c = _checked(state, "temperature_c", self.size)
        time_s = _checked(state, "time_s", 1)
        if not ((battery_j >= 0) & (battery_j <= self._bodies.capacity_j[self.group_index])).all():
            raise CheckpointError("fleet state: battery_j leaves 0..capacity of a device's profile")
        if not (np.isfinite(temperature_c).all() and np.isfinite(time_s).all()):
            raise CheckpointError("fleet state: temperature_c and time_s must be finite")
        self._battery_j, self._temperature_c = battery_j, temperature_c
        self.time_s = float(time_s[0])

    def _all_columns(self, devices: NDArray[np.int64], time_s: float) -> Floats:
        """Return the vitals of any devices as rows in the order of ``_COLUMNS``."""
        columns: Floats = np.empty((len(_COLUMNS), len(devices)))
        groups = self.group_index[devices]
        for number in np.unique(groups).tolist():
            own = groups == number
            columns[:, own] = self._columns(self._groups[number], devices[own], time_s)
        return columns

    def _columns(self, group: Group, devices: NDArray[np.int64], time_s: float) -> Floats:
        """Return the vitals of devices of one group as rows in the order of ``_COLUMNS``."""
        load, link = group.load.at(devices, time_s), group.link.at(devices, time_s)
        battery_j = self._battery_j[devices]
        available = group.reachable(devices, time_s) & (battery_j > 0) & (link > 0)
        # A background load holds memory in proportion to its CPU: RA-CMKD's table (Cherian and
        # Manoov) pairs 20 to 30 % of CPU with 120 to 150 MB free and 90 % with less than 20 MB,
        # which 180 MB x (1 - load) meets.
        free_bytes = group.profile.memory_bytes * (1.0 - load)
        charge = self._bodies.battery_ratio(self.group_index[devices], battery_j)
        heat_c = self._temperature_c[devices]
        rows = [load, free_bytes, charge, heat_c, link, available.astype(np.float64)]
        columns: Floats = np.stack(rows)
        self._reported.lay_over(devices, columns)
        return columns


_COLUMNS = (
    "cpu_ratio",
    "free_memory_bytes",
    "battery_ratio",
    "temperature_c",
    "bandwidth_ratio",
    "available_ratio",
)


def _vitals(
    cpu: float, free_bytes: float, charge: float, heat_c: float, link: float, available: float
) -> Vitals:
    return Vitals(
        cpu_ratio=cpu,
        free_memory_bytes=free_bytes,
        battery_ratio=charge,
        temperature_c=heat_c,
        bandwidth_ratio=link,
        available=available > 0,
    )


def _checked(state: Mapping[str, NDArray[np.float64]], name: str, size: int) -> Floats:
    if name not in state:
        raise CheckpointError(f"fleet state: {name} is missing")
    array = np.array(state[name], dtype=np.float64)
    if array.shape != (size,):
        raise CheckpointError(
            f"fleet state: {name} has shape {array.shape}, this fleet has ({size},)"
        )
    return array
