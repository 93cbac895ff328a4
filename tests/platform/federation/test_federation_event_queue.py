"""Which arrival can be the next, and when somebody has to be trained before that is known."""

import numpy as np
import pytest

from edgestill.federation.buffered.event_queue import EventQueue, Flight, Landing
from edgestill.federation.roster.participants import Participant


def flight(device, earliest_s, *, version=0, start_s=0.0):
    return Flight(
        participant=Participant(device=device, node_id=device, allocation=None, vitals=None),
        version=version,
        start_s=start_s,
        earliest_s=earliest_s,
        foretold_s=earliest_s,
        selection=None,
    )


def landing(one, landed_s):
    return Landing(flight=one, landed_s=landed_s, figures={}, frame=None)


def flown(times, pops, earliest=lambda time_s: time_s / 2):
    """Start devices with these flight times, one more at each arrival; give order and batches."""
    queue, order, batches = EventQueue(), [], 0
    waiting = list(enumerate(times))
    for device, time_s in waiting[:3]:
        queue.start(flight(device, earliest(time_s)))
    rest = waiting[3:]
    while len(order) < pops and len(queue):
        one = queue.pop()
        if one is None:
            queue.trained([landing(f, f.start_s + times[f.device]) for f in queue.untrained()])
            batches += 1
            continue
        order.append((one.landed_s, one.flight.device))
        if rest:
            device, time_s = rest.pop(0)
            start_s = one.landed_s
            queue.start(flight(device, start_s + earliest(time_s), start_s=start_s))
    return order, batches


def test_nothing_can_be_said_of_devices_that_were_not_trained():
    queue = EventQueue()
    assert queue.pop() is None
    queue.start(flight(3, 5.0))
    assert queue.pop() is None
    assert len(queue) == 1
    assert queue.devices() == [3]


def test_an_arrival_waits_only_for_whoever_could_overtake_it():
    queue = EventQueue()
    first = flight(0, 1.0)
    queue.start(first)
    queue.trained([landing(first, 10.0)])
    queue.start(flight(1, 10.5))
    assert queue.pop().flight is first
    second = flight(0, 11.0)
    queue.start(second)
    assert queue.pop() is None
    queue.trained([landing(one, 30.0 - one.device) for one in queue.untrained()])
    assert [queue.pop().landed_s, queue.pop().landed_s] == [29.0, 30.0]


def test_arrivals_at_the_same_time_are_in_order_of_device():
    queue = EventQueue()
    flights = [flight(device, 1.0) for device in (4, 1, 9)]
    for one in flights:
        queue.start(one)
    queue.trained([landing(one, 2.0) for one in flights])
    # A device that may arrive at the same time goes first only if its number is lower.
    queue.start(flight(2, 2.0))
    assert queue.pop().flight.device == 1
    assert queue.pop() is None


def test_all_who_are_under_way_are_trained_together():
    queue = EventQueue()
    for device, version in ((2, 1), (7, 0), (1, 1)):
        queue.start(flight(device, 1.0, version=version))
    assert [one.device for one in queue.untrained()] == [7, 1, 2]
    with pytest.raises(ValueError, match=r"devices \[1, 2\] were not trained"):
        queue.trained([landing(queue.untrained()[0], 3.0)])


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_the_order_of_arrivals_does_not_depend_on_how_far_one_can_look_ahead(share):
    times = np.random.default_rng(3).uniform(1.0, 9.0, size=40).tolist()
    order, batches = flown(times, 40, lambda time_s: share * time_s)
    exact, _ = flown(times, 40, lambda time_s: 0.0)
    assert order == exact
    assert order == sorted(order)
    assert batches <= 40


def test_looking_ahead_saves_batches():
    times = np.random.default_rng(3).uniform(4.0, 5.0, size=60).tolist()
    _, far = flown(times, 60, lambda time_s: 0.95 * time_s)
    _, near = flown(times, 60, lambda time_s: 0.0)
    # Three fly at a time, so three can be trained together, but only if one looks ahead.
    assert near > 50
    assert far <= 30
