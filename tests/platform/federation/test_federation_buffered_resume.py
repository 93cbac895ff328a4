"""Rounds without a common start go on from a checkpoint as if nothing had been."""

import json
from collections import Counter

import numpy as np
import pytest
from run_compare import rows_of, same_arrays

from edgestill.federation.buffered import rounds as buffered
from edgestill.federation.buffered.state import restored_queue


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
