"""What the coordinator writes to the metrics outside of a round's own books."""

from collections.abc import Mapping

import numpy as np

from edgestill.allocation import STATES, Decision, Level, Snapshot
from edgestill.config import RunConfig
from edgestill.federation.roster.members import Devices, Members
from edgestill.fleet import Fleet, GroupMeans, Vitals
from edgestill.privacy import gaussian_epsilon
from edgestill.telemetry import Contents, MetricStore


def export_hello(
    store: MetricStore, fleet: Fleet, members: Members, devices: Devices, projection_bytes: int
) -> None:
    """Count what saying hello took on the links of some devices."""
    groups = fleet.group_index[devices]
    for number in np.unique(groups).tolist():
        own, group = devices[groups == number], fleet.groups[number].name
        summary_bytes = float(members.summary_bytes_of(own).sum())
        store.inc("edgestill_uplink_bytes_total", summary_bytes, group=group, kind="summary")
        store.inc(
            "edgestill_downlink_bytes_total",
            projection_bytes * len(own),
            group=group,
            kind="projection",
        )


def export_privacy(store: MetricStore, config: RunConfig, *, summaries: bool, rounds: int) -> None:
    """Write the epsilon spent so far by a device that took part in every round."""
    spent = {"update": (config.privacy.update_noise_multiplier, rounds)}
    if summaries:
        spent["summary"] = (config.knowledge.summary.noise_multiplier, 1)
    if config.federation.selection == "utility":
        # Each device's loss on its own samples decides who is asked; it comes without noise.
        spent["loss"] = (0.0, rounds)
    for what, (noise_multiplier, steps) in spent.items():
        epsilon = gaussian_epsilon(
            noise_multiplier=noise_multiplier, steps=steps, delta=config.privacy.delta
        )
        store.set("edgestill_privacy_epsilon", np.inf if epsilon is None else epsilon, what=what)
    if config.privacy.epsilon_budget is not None:
        store.set("edgestill_privacy_budget_epsilon", config.privacy.epsilon_budget)


def export_devices(store: MetricStore, fleet: Fleet, most: int) -> None:
    """Write the vitals of the first ``most`` devices, one series each."""
    devices = np.arange(min(fleet.size, most))
    vitals = fleet.vitals_columns(devices, fleet.time_s)
    for name, attribute in _VITALS.items():
        store.set_devices(name, devices, vitals[attribute])


_VITALS = {
    "edgestill_device_cpu_ratio": "cpu_ratio",
    "edgestill_device_free_memory_bytes": "free_memory_bytes",
    "edgestill_device_battery_ratio": "battery_ratio",
    "edgestill_device_temperature_celsius": "temperature_c",
}


_GROUP_VITALS = {
    name.replace("_device_", "_group_"): attribute for name, attribute in _VITALS.items()
}


def machine_contents(vitals: Vitals, group: str, device: int) -> Contents:
    """Return the vitals of one real machine, as a device and as all that is seen of its group."""
    store = MetricStore()
    for name, attribute in _VITALS.items():
        store.set_devices(name, np.array([device]), np.array([getattr(vitals, attribute)]))
    for name, attribute in _GROUP_VITALS.items():
        store.set(name, getattr(vitals, attribute), group=group)
    seen = store.snapshot()
    # The counters that a run begins with are none of a machine's.
    return Contents(
        numbers={name: seen.numbers[name] for name in _GROUP_VITALS}, devices=seen.devices
    )


def export_groups(store: MetricStore, fleet: Fleet, means: Mapping[str, GroupMeans]) -> None:
    """Write the groups' vitals, which the allocator then reads."""
    profiles = {group.name: group.profile for group in fleet.groups}
    for group, mean in means.items():
        for name, attribute in _GROUP_VITALS.items():
            store.set(name, getattr(mean, attribute), group=group)
        store.set("edgestill_group_devices", mean.devices, group=group, profile=profiles[group])


def export_vitals(store: MetricStore, fleet: Fleet, max_devices: int) -> None:
    """Write the vitals of groups and devices now, and at last the virtual time that they are of.

    Whoever sees that time in a scrape knows that the vitals in it are not older.
    """
    export_groups(store, fleet, fleet.group_means(fleet.time_s))
    export_devices(store, fleet, max_devices)
    store.set("edgestill_vitals_virtual_seconds", fleet.time_s)


def export_signals(store: MetricStore, snapshot: Snapshot) -> None:
    """Write how old the signals were, and count a source that failed."""
    for group, signals in snapshot.groups.items():
        age_s = np.nan if signals.age_s is None else signals.age_s
        store.set("edgestill_signal_age_seconds", age_s, group=group)
    if snapshot.source_error_reason is not None:
        store.inc("edgestill_signal_source_errors_total", reason=snapshot.source_error_reason)


def export_decision(store: MetricStore, decision: Decision) -> None:
    """Write the groups' levels, how they were decided, and count what changed and was at fault."""
    for group, decided in decision.states.items():
        for state in STATES:
            here = float(state == decided)
            store.set("edgestill_group_decision", here, group=group, state=state)
    for faults in decision.faults.values():
        for signal, fault in faults.items():
            store.inc("edgestill_signal_faults_total", signal=signal, fault=fault)
    for group, allocation in decision.allocations.items():
        for level in Level:
            here = float(level is allocation.level)
            store.set("edgestill_group_level", here, group=group, level=level.value)
    for group in decision.changed:
        now = decision.allocations[group].level.value
        store.inc("edgestill_allocation_changes_total", group=group, level=now)
