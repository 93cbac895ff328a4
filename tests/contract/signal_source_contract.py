"""What any source of signals must do: one abstract test body, run on each of them.

A test class inherits :class:`SignalSourceContract` and gives a ``world`` fixture: a
:class:`SourceWorld` whose gauges the source reads, sooner or later.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from edgestill.allocation import Decision, GroupSignals, SignalSource, decide
from edgestill.config import AllocationConfig
from edgestill.federation.coordination.exports import export_vitals
from edgestill.fleet import Fleet
from edgestill.telemetry import MetricStore

GROUPS = ("phones", "boards")
CALM = {
    "edgestill_group_cpu_ratio": 0.25,
    "edgestill_group_free_memory_bytes": 123_456_789.0,
    "edgestill_group_battery_ratio": 0.1 + 0.7,
    "edgestill_group_temperature_celsius": -12.5,
}
NAMES = dict(
    zip(CALM, ("cpu_ratio", "free_memory_bytes", "battery_ratio", "temperature_c"), strict=True)
)


@dataclass
class SourceWorld:
    """A store, a source that reads its gauges, and what makes the store's series vanish."""

    store: MetricStore
    source: SignalSource
    forget: Callable[[], None]
    clock_s: float = 0.0

    def export(self, *groups: str, **changes: float) -> None:
        """Set the gauges of these groups, and then the virtual time that they are of."""
        for group in groups or GROUPS:
            for gauge, value in (CALM | changes).items():
                self.store.set(gauge, value, group=group)
        self.clock_s += 60.1
        self.store.set("edgestill_vitals_virtual_seconds", self.clock_s)

    def read(self, round_number: int = 1) -> dict[str, GroupSignals]:
        """Return what the source says of each group, with ages that a test cannot know left out."""
        snapshot = self.source.read(round_number, self.clock_s)
        assert (snapshot.round_number, snapshot.time_s) == (round_number, self.clock_s)
        assert snapshot.source_error is None
        assert list(snapshot.groups) == list(GROUPS)
        for signals in snapshot.groups.values():
            assert signals.age_s is None or 0.0 <= signals.age_s < 30.0
        return {group: replace(one, age_s=0.0) for group, one in snapshot.groups.items()}


class SignalSourceContract:
    """The tests; ``world`` comes from the class that inherits them."""

    @pytest.fixture
    def calm(self) -> GroupSignals:
        return GroupSignals(**{NAMES[gauge]: value for gauge, value in CALM.items()})

    def test_what_was_exported_last_is_what_is_read_to_the_last_bit(
        self, world: SourceWorld, calm: GroupSignals
    ) -> None:
        world.export()
        assert world.read() == dict.fromkeys(GROUPS, calm)
        for round_number, cpu_ratio in enumerate((0.1 + 0.7, 1 / 3, 1e-17), start=2):
            world.export(edgestill_group_cpu_ratio=cpu_ratio)
            found = world.read(round_number)
            assert found == dict.fromkeys(GROUPS, replace(calm, cpu_ratio=cpu_ratio))

    def test_a_group_never_exported_misses_every_signal(
        self, world: SourceWorld, calm: GroupSignals
    ) -> None:
        world.export("phones")
        missing = GroupSignals(faults=dict.fromkeys(NAMES.values(), "missing"))
        assert world.read() == {"phones": calm, "boards": missing}

    def test_absurd_values_are_seen_as_such_and_the_others_are_used(
        self, world: SourceWorld, calm: GroupSignals
    ) -> None:
        for gauge, value in (
            ("edgestill_group_cpu_ratio", math.nan),
            ("edgestill_group_free_memory_bytes", math.inf),
            ("edgestill_group_battery_ratio", 1.5),
            ("edgestill_group_temperature_celsius", -math.inf),
        ):
            world.export(**{gauge: value})
            name = NAMES[gauge]
            found = world.read()["phones"]
            assert found == replace(calm, **{name: None}, faults={name: "absurd"})

    def test_series_that_vanish_are_missing_and_come_back(
        self, world: SourceWorld, calm: GroupSignals
    ) -> None:
        world.export()
        world.read()
        world.forget()
        assert {one.cpu_ratio for one in world.read().values()} == {None}
        world.export()
        assert world.read() == dict.fromkeys(GROUPS, calm)

    def test_a_load_that_rises_and_falls_is_decided_alike(self, world: SourceWorld) -> None:
        config = AllocationConfig()
        decision: Decision | None = None
        levels = []
        for cpu_ratio in (0.2, 0.2, 0.95, 0.95, 0.2, 0.2, 0.2, 0.2):
            world.export(edgestill_group_cpu_ratio=cpu_ratio)
            snapshot = world.source.read(1, world.clock_s)
            decision = decide(config, ("visual",), snapshot, decision)
            levels.append(decision.allocations["phones"].level.value)
        assert levels == ["high"] * 2 + ["critical"] * 2 + ["low", "medium", "high", "high"]

    def test_what_the_coordinator_exports_of_a_fleet_can_be_read(
        self, world: SourceWorld, fleet: Fleet
    ) -> None:
        export_vitals(world.store, fleet, 8)
        world.clock_s = fleet.time_s
        found = world.read()
        means = fleet.group_means(fleet.time_s)
        for group in GROUPS:
            values = {name: getattr(means[group], name) for name in NAMES.values()}
            assert found[group] == GroupSignals(**values)
