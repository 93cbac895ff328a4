"""Who may start from a version, in which order, and who says hello when."""

from dataclasses import replace

import numpy as np

from edgestill.allocation import Level, allocation_of
from edgestill.config import LevelsConfig, resolve
from edgestill.federation.buffered.takeoff import Takeoff
from edgestill.federation.roster.members import Member, Members
from edgestill.fleet import Fleet

HIGH = allocation_of(LevelsConfig(), Level.HIGH, ("visual",))
BLINKING = {"kind": "steps", "steps": [[0, 0.0], [100, 1.0]]}


def fleet_of(devices=12, **group):
    groups = [{"name": "a", "profile": "phone"}, {"name": "b", "profile": "phone", **group}]
    return Fleet(resolve({"fleet": {"devices": devices, "groups": groups}}).fleet, 1)


class Door:
    """Takes down who is asked for a hello; some devices have no data."""

    def __init__(self, members, empty=()):
        self.members, self.empty, self.asked = members, empty, []

    def __call__(self, devices):
        self.asked.append(devices.tolist())
        for device in devices.tolist():
            examples = 0 if device in self.empty else 5
            self.members.enter(
                device,
                Member(node_id=device + 2, examples=examples, summary=None, summary_bytes=0),
            )


def takeoff_of(fleet, order, *, empty=(), block=4, participation=1.0):
    members = Members(fleet.size)
    door = Door(members, empty)
    allocations = {"a": HIGH, "b": replace(HIGH, participation=participation)}
    return door, Takeoff(
        fleet,
        members,
        allocations,
        np.array(order, np.int64),
        greet=door,
        block=block,
        seed=1,
        round_number=1,
    )


def taken(takeoff, count, time_s=0.0):
    return [participant.device for participant in takeoff.take(count, time_s)]


def test_devices_start_in_order_and_each_once():
    order = [5, 3, 11, 0, 7, 2]
    _, takeoff = takeoff_of(fleet_of(), order)
    assert taken(takeoff, 2) == [5, 3]
    assert taken(takeoff, 3) == [11, 0, 7]
    assert taken(takeoff, 9) == [2]
    assert taken(takeoff, 1) == []


def test_who_cannot_be_reached_keeps_the_place():
    fleet = fleet_of(availability=BLINKING)
    away = set(fleet.members("b").tolist())
    _, takeoff = takeoff_of(fleet, range(12))
    at_once = taken(takeoff, 4)
    assert not set(at_once) & away
    later = taken(takeoff, 3, 150.0)
    assert later == sorted(set(range(12)) - set(at_once))[:3]
    assert set(later) & away


def test_vitals_are_those_of_the_start():
    fleet = fleet_of(load={"kind": "steps", "steps": [[0, 0.1], [100, 0.9]]})
    device = int(fleet.members("b")[0])
    _, takeoff = takeoff_of(fleet, [device])
    (participant,) = takeoff.take(1, 150.0)
    assert participant.vitals == fleet.vitals(device, 150.0)
    assert participant.vitals.cpu_ratio == 0.9
    assert participant.node_id == device + 2


def test_hellos_are_asked_for_in_blocks_and_only_ahead_of_need():
    door, takeoff = takeoff_of(fleet_of(), range(12), empty={1, 2, 4}, block=4)
    assert taken(takeoff, 1) == [0]
    assert door.asked == [[0, 1, 2, 3]]
    assert taken(takeoff, 1) == [3]
    assert taken(takeoff, 2) == [5, 6]
    assert door.asked == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_the_levels_participation_counts():
    fleet = fleet_of()
    _, takeoff = takeoff_of(fleet, range(12), participation=0.0)
    assert taken(takeoff, 12) == fleet.members("a").tolist()


def test_asking_for_some_is_asking_for_all():
    fleet = fleet_of(200, availability={"value": 0.5, "step_s": 60})
    devices = np.random.default_rng(0).permutation(200)[:77]
    for time_s in (0.0, 90.0, 1000.0):
        some = fleet.available_among(devices, time_s)
        assert np.array_equal(some, fleet.available(time_s)[devices])
        assert 0 < some.sum() < 77
    assert fleet.available_among(np.empty(0, np.int64), 0.0).shape == (0,)
