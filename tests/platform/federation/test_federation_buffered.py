"""Rounds without a common start: what arrives when, what it counts, and what is kept."""

import json
from collections import Counter

import numpy as np
import pytest
import torch

from edgestill.errors import RunError
from edgestill.federation import (
    FIRST_NODE_ID,
    LocalGrid,
    make_client_app,
    world_of,
)
from edgestill.federation.aggregation.update import Aggregate, Update
from edgestill.federation.buffered import rounds as buffered
from edgestill.federation.buffered.buffer import staleness_share
from edgestill.federation.buffered.state import restored_queue
from edgestill.federation.coordination import coordinator
from edgestill.federation.device import part as device_part
from edgestill.federation.messages import UPDATE
from edgestill.fleet import Fleet

STATIC = {"policy": "static"}
BUFFERED = {"mode": "buffered", "concurrency": 3, "buffer_size": 2, "rounds": 5}


def same_arrays(left, right):
    return left.keys() == right.keys() and all(np.array_equal(left[n], right[n]) for n in left)


def rows_of(run):
    return [{key: value for key, value in row.items() if key != "wall_s"} for row in run.rows]


class Counting(LocalGrid):
    """Counts batches of train messages, and may shuffle what comes back."""

    def __init__(self, config, seed=None):
        super().__init__(make_client_app(config), config.fleet.devices)
        self._rng = None if seed is None else np.random.default_rng(seed)
        self.batches = []

    def send_and_receive(self, messages, *, timeout=None):
        sent = list(messages)
        if sent and sent[0].metadata.message_type == "train":
            self.batches.append(len(sent))
        replies = list(super().send_and_receive(sent))
        if self._rng is not None:
            self._rng.shuffle(replies)
        return replies


@pytest.mark.parametrize(
    ("staleness", "exponent", "share"),
    [
        (0, 0.5, 1.0),
        (1, 0.5, 0.70710678),
        (3, 0.5, 0.5),
        (8, 0.5, 1 / 3),
        (4, 1.0, 0.2),
        (9, 0.0, 1.0),
    ],
)
def test_staleness_counts_as_in_the_paper(staleness, exponent, share):
    assert staleness_share(staleness, exponent) == pytest.approx(share)


def test_a_stale_update_makes_the_step_smaller_and_not_only_the_others_larger():
    fresh = Update(delta={"w": np.array([1.0, -2.0], np.float32)}, examples=10)
    stale = Update(delta={"w": np.array([4.0, 4.0], np.float32)}, examples=30)
    total = Aggregate.of(fresh, staleness_share(0, 0.5)) + Aggregate.of(
        stale, staleness_share(3, 0.5)
    )
    np.testing.assert_allclose(total.mean({"w": (2,)})["w"], [(10 + 60) / 40, (-20 + 60) / 40])
    alone = Aggregate.of(stale, staleness_share(3, 0.5)).mean({"w": (2,)})["w"]
    np.testing.assert_allclose(alone, [2.0, 2.0])


def test_the_weighed_sum_has_the_same_bits_in_any_order():
    rng = np.random.default_rng(0)
    lifted = [
        Aggregate.of(
            Update(delta={"w": rng.normal(size=50).astype(np.float32)}, examples=int(n)),
            staleness_share(int(s), 0.5),
        )
        for n, s in zip(rng.integers(1, 90, 20), rng.integers(0, 12, 20), strict=True)
    ]
    means = []
    for _ in range(3):
        rng.shuffle(lifted)
        means.append(sum(lifted[1:], lifted[0]).mean({"w": (50,)})["w"])
    assert np.array_equal(means[0], means[1])
    assert np.array_equal(means[0], means[2])


@pytest.mark.parametrize("strategy", ["FedAvg", "FedProx", "FedAdam", "FedYogi"])
def test_a_buffer_of_all_devices_is_a_synchronous_round(federate, plain_config, strategy):
    together = {"strategy": strategy, "rounds": 3}
    whole = federate(plain_config(federation=together, allocation=STATIC))
    buffered = {**together, "mode": "buffered", "concurrency": 6, "buffer_size": 6}
    run = federate(plain_config(federation=buffered, allocation=STATIC))
    # The seeds of a run do not depend on its mode, so the models are the same to the last bit.
    assert same_arrays(run.state.arrays, whole.state.arrays)
    assert [row["completed"] for row in run.rows] == [6, 6, 6]
    assert [row["buffer"]["staleness_max"] for row in run.rows] == [0, 0, 0]
    for key in ("time_s", "energy_j", "flops", "accuracy"):
        assert [row[key] for row in run.rows] == pytest.approx([row[key] for row in whole.rows])


def test_a_buffered_federation_learns_and_tells_of_its_buffer(federate, tiny_config):
    run = federate(tiny_config(federation={**BUFFERED, "rounds": 8}))
    assert run.rows[-1]["accuracy"] > 0.6
    assert {row["mode"] for row in run.rows} == {"buffered"}
    for row in run.rows:
        buffer = row["buffer"]
        assert buffer["updates"] == row["completed"] == 2
        assert buffer["arrivals"] == row["selected"] == 2
        assert buffer["under_way"] == 2
        assert 0 <= buffer["staleness_mean"] <= buffer["staleness_max"]
    assert max(row["buffer"]["staleness_max"] for row in run.rows) > 0
    times = [row["time_s"] for row in run.rows]
    assert times == sorted(times)
    assert run.state.selected_classes.sum() >= 8 * 2 * 8


def test_the_result_does_not_depend_on_the_order_of_the_replies(federate, tiny_config):
    config = tiny_config(federation=BUFFERED)
    plain = federate(config)
    shuffled = federate(config, grid=Counting(config, seed=1))
    assert same_arrays(plain.state.arrays, shuffled.state.arrays)
    assert rows_of(plain) == rows_of(shuffled)


@pytest.mark.parametrize("at_most", [1, 3, 6])
@pytest.mark.parametrize(
    ("strategy", "concurrency", "size"), [("FedAvg", 4, 1), ("FedAdam", 5, 2), ("FedYogi", 2, 3)]
)
def test_a_resumed_run_is_the_uninterrupted_one(
    federate, tiny_config, tmp_path, at_most, strategy, concurrency, size
):
    config = tiny_config(
        federation={
            "mode": "buffered",
            "strategy": strategy,
            "concurrency": concurrency,
            "buffer_size": size,
            "rounds": 8,
            "selection": "utility",
        }
    )
    whole = federate(config, folder=tmp_path)
    resumed = federate(config, folder=tmp_path, resume=True, at_most=at_most)
    assert same_arrays(resumed.state.arrays, whole.state.arrays)
    assert rows_of(resumed) == rows_of(whole)
    assert np.array_equal(resumed.state.selected_classes, whole.state.selected_classes)


class Actors(LocalGrid):
    """Hands each actor its share of a batch, as cohorts get theirs; the last answers first."""

    def __init__(self, config, actors):
        super().__init__(make_client_app(config), config.fleet.devices)
        self._actors = actors

    def send_and_receive(self, messages, *, timeout=None):
        sent, replies = list(messages), []
        for first in reversed(range(self._actors)):
            own = sent[first :: self._actors]
            contexts = [self._contexts[one.metadata.dst_node_id] for one in own]
            replies += self._app.many(own, contexts)
        return replies


def test_the_result_does_not_depend_on_the_number_of_actors(federate, tiny_config):
    config = tiny_config(federation={**BUFFERED, "concurrency": 5})
    one, three = (federate(config, grid=Actors(config, number)) for number in (1, 3))
    assert same_arrays(one.state.arrays, three.state.arrays)
    assert rows_of(one) == rows_of(three)


def test_devices_are_trained_in_batches_and_no_version_is_kept_for_long(
    federate, plain_config, monkeypatch
):
    config = plain_config(
        federation={"mode": "buffered", "concurrency": 5, "buffer_size": 1, "rounds": 20}
    )
    grid, kept = Counting(config), []
    original = buffered.BufferedRounds._present

    def present(rounds, *given):
        version = original(rounds, *given)
        kept.append(len(rounds.versions))
        return version

    monkeypatch.setattr(buffered.BufferedRounds, "_present", present)
    monkeypatch.setattr(buffered, "MOST_VERSIONS", 2)
    few = federate(config, grid=grid)
    assert max(kept) <= 2
    assert grid.batches[0] == 5
    assert len(grid.batches) < sum(grid.batches)
    monkeypatch.setattr(buffered, "MOST_VERSIONS", 100)
    many = federate(config)
    assert max(kept) > 2
    assert same_arrays(few.state.arrays, many.state.arrays)
    assert rows_of(few) == rows_of(many)


def test_a_straggler_is_not_waited_for(federate, plain_config):
    together = federate(plain_config(federation={"rounds": 1}))
    slowest_s = together.rows[0]["duration_s"]
    options = {"mode": "buffered", "concurrency": 6, "buffer_size": 3, "rounds": 6}
    run = federate(plain_config(federation=options))
    assert run.rows[0]["time_s"] < slowest_s / 2
    assert run.rows[-1]["accuracy"] > run.rows[0]["accuracy"]


def test_no_device_counts_twice_in_a_step(federate, plain_config):
    config = plain_config(
        federation={"mode": "buffered", "concurrency": 6, "buffer_size": 5, "rounds": 8}
    )
    run = federate(config)
    # Each row's figures are by device: fewer devices than arrivals would be a device twice.
    for row in run.rows:
        assert sum(group["devices"] for group in row["by_group"].values()) == 5


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
    class Losing(Counting):
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
    run = federate(config, grid=Losing(config))
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


@pytest.mark.parametrize(
    "mode", [{"fraction": 0.5}, {"mode": "buffered", "concurrency": 3, "buffer_size": 2}]
)
def test_utility_selection_explores_in_both_modes_and_survives_a_checkpoint(
    federate, plain_config, tmp_path, mode
):
    options = {"rounds": 10, "selection": "utility", "utility": {"exploration": 0.5}, **mode}
    config = plain_config(federation=options)
    whole = federate(config, folder=tmp_path)
    groups = Counter()
    for row in whole.rows:
        groups.update(list(row["by_group"]))
    assert set(groups) == {group.name for group in config.fleet.groups}
    resumed = federate(config, folder=tmp_path, resume=True, at_most=4)
    assert same_arrays(resumed.state.arrays, whole.state.arrays)
    assert rows_of(resumed) == rows_of(whole)


def test_the_metrics_tell_of_the_buffer(federate, plain_config):
    store = federate(plain_config(federation=BUFFERED)).store
    assert store.value("edgestill_arrivals_total", mode="buffered") == 10
    assert store.value("edgestill_buffer_updates") == 2
    assert store.value("edgestill_devices_under_way") == 2
    assert store.value("edgestill_update_staleness_rounds", statistic="max") is not None
    other = federate(plain_config()).store
    assert other.value("edgestill_arrivals_total", mode="synchronous") == 12
    assert other.value("edgestill_buffer_updates") is None


def test_who_is_under_way_survives_a_checkpoint(federate, tiny_config, tmp_path, monkeypatch):
    compared = Counter()
    original = buffered.BufferedRounds.state

    def state(rounds):
        arrays, plain = original(rounds)
        queue, restored = rounds.queue, restored_queue(arrays, json.loads(json.dumps(plain)))
        for one, other in zip(queue.landings(), restored.landings(), strict=True):
            assert one.flight.participant == other.flight.participant
            assert (one.place, one.figures, one.frame) == (other.place, other.figures, other.frame)
            compared["trained"] += 1
        for one, other in zip(queue.untrained(), restored.untrained(), strict=True):
            assert one.participant == other.participant
            assert np.array_equal(one.selection.positions, other.selection.positions)
            for name in ("version", "start_s", "earliest_s", "foretold_s"):
                assert getattr(one, name) == getattr(other, name)
            compared["untrained"] += 1
        assert {int(number) for number in plain["versions"]} == {
            one.version for one in queue.untrained()
        }
        return arrays, plain

    monkeypatch.setattr(buffered.BufferedRounds, "state", state)
    options = {"mode": "buffered", "concurrency": 5, "buffer_size": 1, "rounds": 12}
    federate(tiny_config(federation=options), folder=tmp_path)
    assert compared["trained"] > 5
    assert compared["untrained"] > 0
