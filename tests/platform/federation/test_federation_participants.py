"""Who takes part, and until when answers count."""

import math
from dataclasses import replace

import numpy as np
import pytest

from edgestill.allocation import Level, allocation_of
from edgestill.config import FederationConfig, LevelsConfig, resolve
from edgestill.federation import Member, Members
from edgestill.federation.roster.participants import Participant, Pick, closing_time_s, pick
from edgestill.fleet import Fleet

HIGH = allocation_of(LevelsConfig(), Level.HIGH, ("visual",))
GROUPS = ("a", "b")


def fleet_of(devices=100, **group):
    tree = {
        "fleet": {
            "devices": devices,
            "groups": [
                {"name": "a", "profile": "phone"},
                {"name": "b", "profile": "phone", **group},
            ],
        }
    }
    return Fleet(resolve(tree).fleet, 1)


def enter(members, devices, empty=()):
    for device in devices:
        examples = 0 if device in empty else 5
        member = Member(node_id=device + 2, examples=examples, summary=None, summary_bytes=0)
        members.enter(int(device), member)


def members_of(fleet, empty=(), devices=None):
    members = Members(fleet.size, nodes_by_rule=devices is None)
    enter(members, range(fleet.size) if devices is None else devices, empty)
    return members


def picked(
    fleet,
    members=None,
    *,
    participation=(1.0, 1.0),
    seed=1,
    round_number=1,
    greet=None,
    **options,
):
    allocations = {
        group: replace(HIGH, participation=share)
        for group, share in zip(GROUPS, participation, strict=True)
    }
    return pick(
        FederationConfig(**options),
        fleet,
        members_of(fleet) if members is None else members,
        allocations,
        seed=seed,
        round_number=round_number,
        greet=greet,
    )


def devices_of(some):
    return [participant.device for participant in some.participants]


def test_everybody_with_data_takes_part_by_default():
    fleet = fleet_of()
    one = picked(fleet, members_of(fleet, empty={3, 50}))
    assert devices_of(one) == [d for d in range(100) if d not in {3, 50}]
    assert one.wanted == 98
    first = one.participants[0]
    assert (first.node_id, first.allocation) == (2, HIGH)
    assert first.vitals == fleet.vitals(0, 0.0)


def test_the_fraction_is_of_those_willing():
    one = picked(fleet_of(), fraction=0.25)
    assert one.wanted == 25 == len(set(devices_of(one)))
    assert devices_of(one) == sorted(devices_of(one))


def test_at_least_one_takes_part_and_none_of_none():
    assert picked(fleet_of(devices=4), fraction=0.01).wanted == 1
    fleet = fleet_of(devices=4)
    nobody = picked(fleet, members_of(fleet, empty=range(4)))
    assert nobody == Pick(participants=[], wanted=0)


def test_over_selection_draws_more_than_are_wanted_up_to_all():
    one = picked(fleet_of(), fraction=0.2, over_selection=0.3)
    assert one.wanted == 20
    assert len(one.participants) == 26
    assert len(picked(fleet_of(), fraction=0.9, over_selection=0.5).participants) == 100
    # A share of a device is a device.
    assert len(picked(fleet_of(), fraction=0.02, over_selection=0.1).participants) == 3


def test_rounds_and_seeds_differ_and_repeat():
    fleet = fleet_of()
    draws = {
        (seed, number): tuple(
            devices_of(picked(fleet, fraction=0.2, seed=seed, round_number=number))
        )
        for seed in (1, 2)
        for number in (1, 2)
    }
    assert len(set(draws.values())) == 4
    assert draws[1, 1] == tuple(devices_of(picked(fleet_of(), fraction=0.2)))


def test_participation_is_a_probability_by_group():
    fleet = fleet_of()
    own = set(fleet.members("b").tolist())
    counts = dict.fromkeys(range(100), 0)
    for number in range(1, 101):
        for device in devices_of(picked(fleet, participation=(1.0, 0.5), round_number=number)):
            counts[device] += 1
    assert all(counts[device] == 100 for device in set(range(100)) - own)
    # 50 expected of 100; five standard deviations are 25.
    assert all(25 < counts[device] < 75 for device in own)
    assert 0.45 < sum(counts[device] for device in own) / (100 * len(own)) < 0.55
    assert not set(devices_of(picked(fleet, participation=(1.0, 0.0)))) & own


def test_whether_a_device_is_willing_does_not_depend_on_the_others():
    fleet = fleet_of()
    everybody = set(devices_of(picked(fleet, participation=(0.5, 0.5))))
    half = members_of(fleet, devices=range(50))
    assert set(devices_of(picked(fleet, half, participation=(0.5, 0.5)))) == {
        device for device in everybody if device < 50
    }


class Household:
    """Says hello for devices, and remembers whom it was asked for."""

    def __init__(self, fleet, empty=(), silent=()):
        self.members = Members(fleet.size)
        self.empty, self.silent, self.batches = set(empty), set(silent), []

    def greet(self, devices):
        strangers = self.members.strangers(devices).tolist()
        self.batches.append(strangers)
        enter(self.members, [d for d in strangers if d not in self.silent], self.empty)


def test_strangers_are_asked_when_they_are_first_picked_and_nobody_else_is():
    fleet = fleet_of()
    household = Household(fleet)
    first = picked(fleet, household.members, fraction=0.2, greet=household.greet)
    assert sorted(household.batches[0]) == devices_of(first)
    second = picked(fleet, household.members, fraction=0.2, round_number=2, greet=household.greet)
    assert sorted(household.batches[1]) == sorted({*devices_of(second)} - {*devices_of(first)})
    # Whoever is asked when, the same devices are picked as if all were known from the start.
    assert devices_of(first) == devices_of(picked(fleet, fraction=0.2))
    assert devices_of(second) == devices_of(picked(fleet, fraction=0.2, round_number=2))


def test_who_has_no_data_or_is_silent_is_replaced_by_the_next():
    fleet, empty, silent = fleet_of(), set(range(0, 100, 3)), set(range(1, 100, 9))
    household = Household(fleet, empty, silent)
    first = picked(fleet, household.members, fraction=0.3, greet=household.greet)
    assert len(first.participants) == first.wanted == 30
    assert not set(devices_of(first)) & (empty | silent)
    household.batches.clear()
    picked(fleet, household.members, fraction=1.0, round_number=2, greet=household.greet)
    # Nobody is asked again who said that he has nothing; the silent are.
    asked = [device for batch in household.batches for device in batch]
    assert len(asked) == len(set(asked))
    assert silent <= set(asked)
    household.batches.clear()
    last = picked(fleet, household.members, fraction=1.0, round_number=3, greet=household.greet)
    assert {device for batch in household.batches for device in batch} == silent
    assert devices_of(last) == [d for d in range(100) if d not in empty | silent]


def test_who_cannot_be_reached_is_not_picked():
    fleet = fleet_of(availability={"kind": "constant", "value": 0.0})
    assert devices_of(picked(fleet)) == fleet.members("a").tolist()


def pick_of(times, wanted):
    participants = [
        Participant(device=device, node_id=device, allocation=HIGH, vitals=None)
        for device in range(len(times))
    ]
    return Pick(participants=participants, wanted=wanted)


@pytest.mark.parametrize(
    ("wanted", "deadline_s", "closes_s"),
    [
        (4, None, math.inf),
        (4, 3.0, 3.0),
        (3, None, 7.0),
        (2, None, 4.0),
        (2, 3.0, 3.0),
        (2, 5.0, 4.0),
        (1, 50.0, 1.0),
    ],
)
def test_a_round_closes_when_the_wanted_number_is_foretold_or_at_the_deadline(
    wanted, deadline_s, closes_s
):
    times = [7.0, 1.0, 9.0, 4.0]
    config = FederationConfig(deadline_s=deadline_s)
    closes = closing_time_s(config, pick_of(times, wanted), lambda: np.array(times))
    assert closes == closes_s


def test_nothing_is_foretold_when_nobody_is_left_out():
    def never():
        raise LookupError

    assert closing_time_s(FederationConfig(), pick_of([1.0, 2.0], 2), never) == math.inf
