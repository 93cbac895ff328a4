"""Rounds without a common start: who comes to nothing, why, and who takes the place."""

from collections import Counter

import pytest
import torch
from run_compare import same_arrays

from edgestill.errors import RunError
from edgestill.federation import (
    FIRST_NODE_ID,
    LocalGrid,
    make_client_app,
    world_of,
)
from edgestill.federation.coordination import coordinator
from edgestill.federation.device import part as device_part
from edgestill.federation.messages import UPDATE
from edgestill.fleet import Fleet

STATIC = {"policy": "static"}
BUFFERED = {"mode": "buffered", "concurrency": 3, "buffer_size": 2, "rounds": 5}


def test_late_devices_are_let_go_at_the_deadline_and_counted(federate, plain_config):
    free = federate(plain_config(federation={"rounds": 1}))
    durations = sorted(group["duration_s"] for group in free.rows[0]["by_group"].values())
    deadline_s = (durations[-2] + durations[-1]) / 2
    options = {"mode": "buffered", "concurrency": 6, "buffer_size": 6, "deadline_s": deadline_s}
    run = federate(plain_config(federation=options))
    row = run.rows[0]
    assert row["late"] >= 1
    assert row["completed"] + row["late"] == 6
    assert row["buffer"]["updates"] == row["completed"]
    assert row["duration_s"] == pytest.approx(deadline_s)
    assert run.rows[1]["late"] >= 1


def test_failures_are_counted_by_reason_and_their_places_taken(federate, plain_config, monkeypatch):
    original = device_part.train

    def train(module, arrays, samples, *rest):
        if len(samples) == 10 and float(samples.inputs["visual"].sum()) == poisoned:
            raise ArithmeticError("no numbers left")
        return original(module, arrays, samples, *rest)

    config = plain_config(
        engine={"trainer": "sequential"},
        federation={"mode": "buffered", "concurrency": 2, "buffer_size": 5, "rounds": 3},
    )
    world = world_of(config)
    poisoned = float(torch.from_numpy(world.dataset.inputs(world.owned[3])["visual"]).sum())
    monkeypatch.setattr(device_part, "train", train)
    run = federate(config)
    assert [row["completed"] for row in run.rows] == [5, 5, 5]
    assert {reason for row in run.rows for reason in row["failures"]} == {"ArithmeticError"}
    for row in run.rows:
        assert row["selected"] == row["buffer"]["arrivals"] == row["completed"] + row["failed"]


def test_when_all_fail_the_first_reason_is_told(federate, plain_config, monkeypatch):
    def train(*_):
        raise ArithmeticError("the numbers are gone")

    monkeypatch.setattr(device_part, "train", train)
    config = plain_config(engine={"trainer": "sequential"}, federation=BUFFERED)
    with pytest.raises(RunError, match=r"round 1: all \d devices failed; the first: ") as caught:
        federate(config)
    assert "ArithmeticError: the numbers are gone" in str(caught.value)


def test_a_lost_reply_and_a_damaged_update_fill_no_buffer(federate, plain_config):
    class Losing(LocalGrid):
        def send_and_receive(self, messages, *, timeout=None):
            for reply in super().send_and_receive(messages, timeout=timeout):
                device = reply.metadata.src_node_id - FIRST_NODE_ID
                update = reply.content.get(UPDATE) if reply.has_content() else None
                if update is not None and device == 1:
                    continue
                if update is not None and device == 4:
                    update["frame"] = update["frame"][:-1]
                yield reply

    config = plain_config(
        federation={"mode": "buffered", "concurrency": 6, "buffer_size": 4, "rounds": 2}
    )
    run = federate(config, grid=Losing(make_client_app(config), config.fleet.devices))
    assert [row["completed"] for row in run.rows] == [4, 4]
    reasons = {reason for row in run.rows for reason in row["failures"]}
    assert reasons == {"NoReply", "frame"}


def test_devices_without_memory_are_passed_over_at_once(federate, plain_config):
    groups = [
        {"name": "a", "profile": "phone"},
        {"name": "b", "profile": "microcontroller", "load": {"value": 1.0}},
    ]
    config = plain_config(
        fleet={"groups": groups},
        federation={"mode": "buffered", "concurrency": 2, "buffer_size": 3, "rounds": 3},
    )
    run = federate(config)
    assert sum(row["skipped"] for row in run.rows) >= 3
    assert [row["completed"] for row in run.rows] == [3, 3, 3]


def test_when_nobody_can_start_time_passes(federate, plain_config, start_of):
    groups = [{"name": "a", "profile": "phone", "availability": {"value": 0.0}}]
    config = plain_config(fleet={"groups": groups}, federation={**BUFFERED, "rounds": 2})
    run = federate(config)
    assert [row["time_s"] for row in run.rows] == [60.0, 120.0]
    assert [row["buffer"]["arrivals"] for row in run.rows] == [0, 0]
    assert same_arrays(run.state.arrays, start_of(config))


def test_the_server_steps_with_what_it_has_where_too_few_devices_can_be_reached(
    federate, plain_config
):
    groups = [
        {"name": "a", "profile": "phone"},
        {"name": "b", "profile": "phone", "availability": {"value": 0.0}},
    ]
    config = plain_config(
        fleet={"groups": groups},
        federation={"mode": "buffered", "concurrency": 4, "buffer_size": 5, "rounds": 2},
    )
    run = federate(config)
    assert [row["buffer"]["updates"] for row in run.rows] == [3, 3]


def drained(devices):
    class Drained(Fleet):
        """Some devices are empty from the first step of the server on."""

        def advance(self, duration_s, energy_j):
            super().advance(duration_s, energy_j)
            self._battery_j[devices] = 0.0

    return Drained


PHONES = {"groups": [{"name": "a", "profile": "phone"}]}


def test_a_device_whose_battery_ran_out_on_the_way_is_counted(federate, plain_config, monkeypatch):
    config = plain_config(
        fleet=PHONES,
        federation={"mode": "buffered", "concurrency": 6, "buffer_size": 2, "rounds": 3},
    )
    monkeypatch.setattr(coordinator, "Fleet", drained([3, 4, 5]))
    run = federate(config)
    counted = Counter()
    for row in run.rows:
        counted.update(row["failures"])
        assert row["completed"] == 2
    # Two of six were back before; whoever of the three was under way comes to nothing, once.
    assert set(counted) == {"BatteryEmpty"}
    assert 1 <= counted["BatteryEmpty"] <= 3
    failed = run.store.value("edgestill_devices_failed_total", reason="BatteryEmpty")
    assert failed == counted["BatteryEmpty"]


def test_when_all_batteries_run_out_the_run_ends(federate, plain_config, monkeypatch):
    config = plain_config(
        fleet=PHONES,
        federation={"mode": "buffered", "concurrency": 6, "buffer_size": 2, "rounds": 3},
    )
    monkeypatch.setattr(coordinator, "Fleet", drained([0, 1, 2, 3, 4, 5]))
    with pytest.raises(RunError, match=r"round 2: all 4 devices failed.*battery of device \d"):
        federate(config)
