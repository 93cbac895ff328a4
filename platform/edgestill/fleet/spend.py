"""What a piece of work costs a device in time and energy, given how the device is."""

import math
from dataclasses import dataclass

from edgestill.fleet.profiles import DeviceProfile

_THROTTLED_RATE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """How a device is at one moment.

    Attributes:
        cpu_ratio: share of the CPU that others ask for, 0..1.
        free_memory_bytes: what a training process may use now.
        battery_ratio: charge, 0..1; 1.0 on mains.
        temperature_c: of the part that throttles.
        bandwidth_ratio: share of the profile's link rates at hand, 0..1.
        available: reachable, with a charged battery and a link.
    """

    cpu_ratio: float
    free_memory_bytes: float
    battery_ratio: float
    temperature_c: float
    bandwidth_ratio: float
    available: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one round asks of one device; ``memory_bytes`` is the peak while it trains."""

    flops: float
    downlink_bytes: int
    uplink_bytes: int
    memory_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What the work took. ``energy_j`` is above idle; ``total_s`` sums the three parts."""

    compute_s: float
    downlink_s: float
    uplink_s: float
    total_s: float
    energy_j: float


def fits(vitals: Vitals, work: Work) -> bool:
    """Return whether the work fits the device's free memory; if not, it is impossible there."""
    return work.memory_bytes <= vitals.free_memory_bytes


def compute_share(cpu_ratio: float) -> float:
    """Return the share of the CPU that training gets beside a competing load, 0.5..1.

    A fair scheduler gives a runnable competitor at most half of the core while it runs, and it
    runs ``cpu_ratio`` of the time.
    """
    return 1.0 - cpu_ratio / 2.0


def spend(profile: DeviceProfile, vitals: Vitals, work: Work) -> Spent:
    """Return the time and the energy that the work takes.

    Training runs at the profile's rate times :func:`compute_share`, and at half of that above the
    throttling temperature. A transfer that is not empty takes one round trip and its bytes at the
    share of the link at hand; over a link of share 0 it takes for ever (``inf``). Energy is the
    compute power over the compute time and the radio power over both transfers.
    """
    rate = profile.flops_per_s * compute_share(vitals.cpu_ratio)
    if vitals.temperature_c > profile.throttle_c:
        rate *= _THROTTLED_RATE
    compute_s = work.flops / rate
    ratio, round_trip_s = vitals.bandwidth_ratio, profile.round_trip_s
    downlink_s = _transfer_s(
        work.downlink_bytes, profile.downlink_bytes_per_s * ratio, round_trip_s
    )
    uplink_s = _transfer_s(work.uplink_bytes, profile.uplink_bytes_per_s * ratio, round_trip_s)
    link_s = downlink_s + uplink_s
    return Spent(
        compute_s=compute_s,
        downlink_s=downlink_s,
        uplink_s=uplink_s,
        total_s=compute_s + link_s,
        energy_j=profile.compute_power_w * compute_s + profile.radio_power_w * link_s,
    )


def _transfer_s(size_bytes: int, bytes_per_s: float, round_trip_s: float) -> float:
    if size_bytes == 0:
        return 0.0
    return round_trip_s + size_bytes / bytes_per_s if bytes_per_s > 0 else math.inf
