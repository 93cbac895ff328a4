"""Rounds without a common start: what arrives when, what it counts, and what is kept."""

import numpy as np
import pytest
from run_compare import rows_of, same_arrays

from edgestill.federation import (
    LocalGrid,
    make_client_app,
)
from edgestill.federation.buffered import rounds as buffered

STATIC = {"policy": "static"}
BUFFERED = {"mode": "buffered", "concurrency": 3, "buffer_size": 2, "rounds": 5}


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


def test_the_metrics_tell_of_the_buffer(federate, plain_config):
    store = federate(plain_config(federation=BUFFERED)).store
    assert store.value("edgestill_arrivals_total", mode="buffered") == 10
    assert store.value("edgestill_buffer_updates") == 2
    assert store.value("edgestill_devices_under_way") == 2
    assert store.value("edgestill_update_staleness_rounds", statistic="max") is not None
    other = federate(plain_config()).store
    assert other.value("edgestill_arrivals_total", mode="synchronous") == 12
    assert other.value("edgestill_buffer_updates") is None
