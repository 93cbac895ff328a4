"""Batteries and temperatures of all devices at once: what time and energy do to them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgestill.fleet.profiles import DeviceProfile

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bodies:
    """Constants of each group, shape [groups]; a mains supply is a battery of infinite energy."""

    capacity_j: Floats
    idle_power_w: Floats
    resistance_c_per_w: Floats
    time_constant_s: Floats
    ambient_c: Floats

    def resting_c(self) -> Floats:
        """Return the temperature at which a device that only idles settles."""
        return self.ambient_c + self.resistance_c_per_w * self.idle_power_w

    def battery_ratio(self, groups: NDArray[np.int32], battery_j: Floats) -> Floats:
        """Return the charge in 0..1, shape as ``battery_j``; 1.0 on mains."""
        capacity_j = self.capacity_j[groups]
        mains = np.isinf(capacity_j)
        return np.where(mains, 1.0, battery_j / np.where(mains, 1.0, capacity_j))

    def advance(
        self,
        groups: NDArray[np.int32],
        battery_j: Floats,
        temperature_c: Floats,
        *,
        duration_s: float,
        energy_j: Floats,
    ) -> tuple[Floats, Floats]:
        """Return batteries and temperatures after a time; all arrays have shape [n].

        A device draws its idle power and ``energy_j`` until its battery is empty. What it drew
        heats it, as a first-order RC circuit driven by the mean power P over the time t:
        T' = T_s + (T - T_s) exp(-t / tau), T_s = ambient + R P.
        """
        needed_j = energy_j + self.idle_power_w[groups] * duration_s
        drawn_j = np.minimum(needed_j, battery_j)
        power_w = drawn_j / duration_s if duration_s > 0 else np.zeros_like(drawn_j)
        steady_c = self.ambient_c[groups] + self.resistance_c_per_w[groups] * power_w
        remains = np.exp(-duration_s / self.time_constant_s[groups])
        return battery_j - drawn_j, steady_c + (temperature_c - steady_c) * remains


def bodies(profiles: Sequence[DeviceProfile]) -> Bodies:
    """Return the constants of groups of these profiles, in their order."""
    capacity_j = [np.inf if one.battery_j is None else one.battery_j for one in profiles]
    return Bodies(
        capacity_j=np.array(capacity_j),
        idle_power_w=np.array([one.idle_power_w for one in profiles]),
        resistance_c_per_w=np.array([one.thermal_resistance_c_per_w for one in profiles]),
        time_constant_s=np.array([one.thermal_time_constant_s for one in profiles]),
        ambient_c=np.array([one.ambient_c for one in profiles]),
    )
