"""What the coordinator writes to the metrics outside of a round's own books."""

from collections.abc import Mapping

import numpy as np

from edgestill.allocation import Decision, Level
from edgestill.config import RunConfig
from edgestill.federation.participants import Member
from edgestill.fleet import Fleet, GroupMeans
from edgestill.privacy import gaussian_epsilon
from edgestill.telemetry import MetricStore


def export_hello(
    store: MetricStore, fleet: Fleet, members: Mapping[int, Member], projection_bytes: int
) -> None:
    """Count what saying hello took on the links."""
    for device, member in members.items():
        group = fleet.group_of(device)
        store.inc("edgestill_uplink_bytes_total", member.summary_bytes, group=group, kind="summary")
        store.inc(
            "edgestill_downlink_bytes_total", projection_bytes, group=group, kind="projection"
        )


def export_privacy(store: MetricStore, config: RunConfig, *, summaries: bool, rounds: int) -> None:
    """Write the epsilon spent so far by a device that took part in every round."""
    spent = {"update": (config.privacy.update_noise_multiplier, rounds)}
    if summaries:
        spent["summary"] = (config.knowledge.summary.noise_multiplier, 1)
    for what, (noise_multiplier, steps) in spent.items():
        epsilon = gaussian_epsilon(
            noise_multiplier=noise_multiplier, steps=steps, delta=config.privacy.delta
        )
        store.set("edgestill_privacy_epsilon", np.inf if epsilon is None else epsilon, what=what)


def export_devices(store: MetricStore, fleet: Fleet, most: int) -> None:
    """Write the vitals of the first ``most`` devices, one series each."""
    devices = np.arange(min(fleet.size, most))
    vitals = fleet.vitals_many(devices, fleet.time_s)
    for name, attribute in _VITALS.items():
        values = np.array([getattr(one, attribute) for one in vitals], np.float64)
        store.set_devices(name, devices, values)


_VITALS = {
    "edgestill_device_cpu_ratio": "cpu_ratio",
    "edgestill_device_battery_ratio": "battery_ratio",
    "edgestill_device_temperature_celsius": "temperature_c",
}


def export_groups(store: MetricStore, fleet: Fleet, means: Mapping[str, GroupMeans]) -> None:
    """Write the groups' vitals, which the allocator then reads."""
    profiles = {group.name: group.profile for group in fleet.groups}
    for group, mean in means.items():
        store.set("edgestill_group_cpu_ratio", mean.cpu_ratio, group=group)
        store.set("edgestill_group_free_memory_bytes", mean.free_memory_bytes, group=group)
        store.set("edgestill_group_battery_ratio", mean.battery_ratio, group=group)
        store.set("edgestill_group_temperature_celsius", mean.temperature_c, group=group)
        store.set("edgestill_group_devices", mean.devices, group=group, profile=profiles[group])


def export_decision(store: MetricStore, decision: Decision) -> None:
    """Write the groups' levels and count what changed."""
    for group, allocation in decision.allocations.items():
        for level in Level:
            here = float(level is allocation.level)
            store.set("edgestill_group_level", here, group=group, level=level.value)
    for group in decision.changed:
        now = decision.allocations[group].level.value
        store.inc("edgestill_allocation_changes_total", group=group, level=now)
