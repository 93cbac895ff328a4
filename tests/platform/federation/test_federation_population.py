"""A large population costs what its participants cost, and a large round no more memory."""

import gc
import tracemalloc
from collections import Counter

import numpy as np
import pytest
from canned_fleet import DRAW, coordinator_of
from flwr.app import MetricRecord, RecordDict
from safetensors.numpy import load_file

from edgestill.federation import FIRST_NODE_ID, LocalGrid, NodeContexts, make_client_app
from edgestill.federation.messages import HELLO


@pytest.fixture
def population(plain_config):
    def build(devices, participants, **federation):
        fraction = participants / devices
        return plain_config(
            **DRAW,
            allocation={"policy": "static"},
            fleet={"devices": devices},
            federation={"fraction": fraction, **federation},
        )

    return build


def held_bytes(make):
    gc.collect()
    tracemalloc.start()
    try:
        kept = make()
        gc.collect()
        return tracemalloc.get_traced_memory()[0], kept
    finally:
        tracemalloc.stop()


def test_a_device_of_the_population_takes_less_than_300_bytes(population):
    def play(devices):
        coordinator, grid = coordinator_of(population(devices, 200))
        coordinator.run()
        return coordinator, grid

    play(1_000)
    (few, _), (many, kept) = held_bytes(lambda: play(1_000)), held_bytes(lambda: play(100_000))
    assert (many - few) / 99_000 < 300
    grid = kept[1]
    assert sum(grid.trained.values()) == 400
    # Nobody is asked but who is picked, and nobody twice.
    assert grid.hellos.keys() == grid.trained.keys()
    assert set(grid.hellos.values()) == {1}
    assert len(grid._contexts) == 0


def test_the_memory_of_a_round_hardly_grows_with_its_participants(population):
    def peak(participants):
        coordinator, grid = coordinator_of(population(10_000, participants, rounds=1))
        gc.collect()
        tracemalloc.start()
        try:
            coordinator.run()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            assert sum(grid.trained.values()) == participants

    peak(100)
    # A train message alone takes 1.6 kB, a reply as a dict 2 kB.
    assert (peak(4_000) - peak(1_000)) / 3_000 < 1_200


def test_who_turns_out_to_have_no_data_is_replaced_and_never_asked_again(population):
    empty = range(0, 300, 3)
    coordinator, grid = coordinator_of(population(300, 60, rounds=12), empty=empty)
    rows = coordinator.run().rows
    # The share is of those who may have data, of whom fewer are left from round to round.
    assert all(40 <= row["selected"] == row["completed"] <= 60 for row in rows)
    assert not grid.trained.keys() & set(empty)
    assert set(grid.hellos.values()) == {1}
    assert coordinator.members[0].examples == 0
    assert sum(member.examples == 0 for member in coordinator.members.values()) > 50


def test_a_resumed_run_asks_nobody_twice_and_ends_the_same(federate, tiny_config, tmp_path):
    hellos = Counter()

    class Counting(LocalGrid):
        def _answer(self, message):
            if message.metadata.message_type == HELLO:
                hellos[message.metadata.dst_node_id] += 1
            return super()._answer(message)

    config = tiny_config(federation={"rounds": 4, "fraction": 0.34})
    grid = Counting(make_client_app(config), 6)
    whole = federate(config, folder=tmp_path, grid=grid)
    assert len(whole.members) > 2
    asked_in_all = dict(hellos)
    assert set(asked_in_all.values()) == {1}
    kept = load_file(tmp_path / "round-000002.safetensors")["members/devices"]
    hellos.clear()
    again = federate(
        config,
        folder=tmp_path,
        resume=True,
        at_most=2,
        grid=Counting(make_client_app(config), 6),
    )
    known = {FIRST_NODE_ID + device for device in kept.tolist()}
    assert set(hellos) == set(asked_in_all) - known
    for row, other in zip(whole.rows, again.rows, strict=True):
        assert {**row, "wall_s": 0} == {**other, "wall_s": 0}
    for name, array in whole.state.arrays.items():
        np.testing.assert_array_equal(array, again.state.arrays[name])


def test_a_grid_that_must_be_asked_gives_the_same_result(federate, tiny_config, foreign, tmp_path):
    config = tiny_config(federation={"rounds": 3, "fraction": 0.5})
    ours = federate(config)

    def theirs(**options):
        grid = foreign(LocalGrid(make_client_app(config), 6))
        return federate(config, grid=grid, folder=tmp_path, **options)

    whole, again = theirs(), theirs(resume=True, at_most=1)
    assert len(whole.members) == 6
    for run in (whole, again):
        for name, array in ours.state.arrays.items():
            np.testing.assert_array_equal(array, run.state.arrays[name])
    sent = "edgestill_downlink_bytes_total"
    for run in (whole, again):
        groups = {"group": "phones", "kind": "projection"}
        assert run.store.value(sent, **groups) == whole.store.value(sent, **groups) > 0


def test_a_population_may_be_far_larger_than_the_data(federate, population):
    run = federate(population(5_000, 5))
    assert [row["completed"] for row in run.rows] == [5, 5]
    again = federate(population(5_000, 5))
    for name, array in run.state.arrays.items():
        np.testing.assert_array_equal(array, again.state.arrays[name])


def test_contexts_are_made_by_rule_and_kept_only_with_a_state():
    contexts = NodeContexts(10**9, 7)
    node = FIRST_NODE_ID + 123_456_789
    context = contexts[node]
    assert (context.run_id, context.node_id) == (7, node)
    assert context.node_config == {"partition-id": 123_456_789, "num-partitions": 10**9}
    contexts[node] = context
    assert len(contexts) == 0
    context.state["calls"] = MetricRecord({"n": 1})
    contexts[node] = context
    assert contexts[node].state["calls"]["n"] == 1
    assert len(contexts) == 1
    del context.state["calls"]
    contexts[node] = context
    assert len(contexts) == 0
    for stranger in (0, 1, FIRST_NODE_ID + 10**9):
        with pytest.raises(KeyError, match=f"node {stranger}"):
            contexts[stranger]


def test_on_a_local_grid_neither_messages_nor_replies_pile_up(plain_config):
    config = plain_config()
    grid = LocalGrid(make_client_app(config), 6)
    made = []

    def messages():
        for node in grid.get_node_ids():
            made.append(node)
            yield grid.create_message(RecordDict(), "query.unheard_of", node, group_id="1")

    for number, reply in enumerate(grid.send_and_receive(messages()), 1):
        assert len(made) == number
        assert reply.metadata.src_node_id == made[-1]
