"""How the machine is that this process runs on: what a real device reports instead of a trace."""

import math
import os

import psutil

from edgestill.fleet.meter import CpuMeter
from edgestill.fleet.spend import Vitals

COLDEST_C, HOTTEST_C = -40.0, 150.0
"""Sensors that are not connected read far outside of this, or exactly 0."""


class HostVitals:
    """Reads this machine's vitals; the CPU is that of others than this process."""

    def __init__(self) -> None:
        self._own = (os.getpid(),)
        self._meter = CpuMeter(self._own)

    def read(self) -> Vitals:
        """Return how the machine is now, without waiting.

        The temperature is that of the hottest sensor and NaN where there is none; without a
        battery the charge is 1.0, as on mains. The link is taken as whole.
        """
        return Vitals(
            cpu_ratio=self._meter.load(self._own).other_ratio,
            free_memory_bytes=float(psutil.virtual_memory().available),
            battery_ratio=battery_ratio(),
            temperature_c=temperature_c(),
            bandwidth_ratio=1.0,
            available=True,
        )


def battery_ratio() -> float:
    """Return the charge of this machine's battery in 0..1; 1.0 where there is none."""
    # Some systems have no such call at all.
    read = getattr(psutil, "sensors_battery", None)
    battery = None if read is None else read()
    return 1.0 if battery is None else min(max(battery.percent / 100.0, 0.0), 1.0)


def temperature_c() -> float:
    """Return the temperature of the hottest sensor that is believable; NaN where there is none."""
    read = getattr(psutil, "sensors_temperatures", None)
    chips = {} if read is None else read()
    values = [one.current for sensors in chips.values() for one in sensors]
    sensible = [c for c in values if c is not None and COLDEST_C < c < HOTTEST_C and c != 0.0]
    return max(sensible, default=math.nan)
