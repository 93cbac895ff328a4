"""What dies or stalls is replaced; what it held is run again; who always kills is given up."""

import time

import plain_apps
from flwr.app import ConfigRecord, Message, RecordDict

from edgestill.actors import flights as flights_module
from edgestill.federation import FIRST_NODE_ID

DEVICES = 16


def round_trip(grid, *, stall: bool = False, timeout: float | None = None) -> dict[int, Message]:
    record = ConfigRecord({"stall": stall})
    sent = [
        Message(RecordDict({"config": record}), FIRST_NODE_ID + device, "train")
        for device in range(DEVICES)
    ]
    replies = grid.send_and_receive(sent, timeout=timeout)
    return {reply.metadata.src_node_id - FIRST_NODE_ID: reply for reply in replies}


def counts(replies: dict[int, Message]) -> dict[int, int]:
    return {device: reply.content["metrics"]["rounds"] for device, reply in replies.items()}


def test_a_killed_cohort_is_replaced_and_its_devices_run_again(grid_of, restarts, tmp_path):
    grid = grid_of(plain_apps.killer(5, tmp_path / "killed"), DEVICES)
    first = round_trip(grid)
    assert (tmp_path / "killed").exists()
    assert not any(reply.has_error() for reply in first.values())
    # What a device did in the dead actor leaves no trace in its state.
    assert counts(first) == dict.fromkeys(range(DEVICES), 1)
    assert restarts() == 1
    assert counts(round_trip(grid)) == dict.fromkeys(range(DEVICES), 2)
    assert restarts() == 1


def test_all_cohorts_killed_at_once_and_again_in_every_round_cost_nothing(
    grid_of, restarts, tmp_path
):
    grid = grid_of(plain_apps.assassins(tmp_path), DEVICES)
    for number, killers in enumerate([[0, 15], [3], [2, 9, 14]], start=1):
        record = ConfigRecord({"round": number, "kill": killers})
        sent = [
            Message(RecordDict({"config": record}), FIRST_NODE_ID + device, "train")
            for device in range(DEVICES)
        ]
        replies = list(grid.send_and_receive(sent, timeout=100.0))
        assert [reply.metadata.src_node_id for reply in replies if reply.has_error()] == []
        assert [r.content["metrics"]["rounds"] for r in replies] == [number] * DEVICES
        assert len(list(tmp_path.iterdir())) == restarts()
    assert restarts() == 6


def test_a_device_that_always_kills_is_given_up_alone(grid_of, restarts, monkeypatch):
    monkeypatch.setattr(flights_module, "MOST_ATTEMPTS", 1)
    replies = round_trip(grid_of(plain_apps.killer(5), DEVICES))
    assert len(replies) == DEVICES
    lost = {device: reply for device, reply in replies.items() if reply.has_error()}
    assert list(lost) == [5]
    assert lost[5].error.reason.startswith("ActorLost: the device ended")
    del replies[5]
    assert counts(replies) == {device: 1 for device in range(DEVICES) if device != 5}
    # Once with its neighbours in the chunk, once alone; once more where the answer to the chunk
    # before was lost with the actor, so that that one was suspected first.
    assert 2 <= restarts() <= 3


def test_a_stalled_device_is_timed_out_and_the_next_round_goes_on(grid_of, restarts):
    grid = grid_of(plain_apps.sleeper(5, seconds=120.0), DEVICES)
    assert counts(round_trip(grid)) == dict.fromkeys(range(DEVICES), 1)
    started = time.monotonic()
    replies = round_trip(grid, stall=True, timeout=3.0)
    assert time.monotonic() - started < 10.0
    assert len(replies) == DEVICES
    late = {device: reply for device, reply in replies.items() if reply.has_error()}
    assert 5 in late
    assert all(r.error.reason == "TimedOut: no reply within 3 s" for r in late.values())
    assert len(late) < DEVICES / 2
    assert restarts() == 1
    again = counts(round_trip(grid))
    assert again == {device: 2 if device in late else 3 for device in range(DEVICES)}
