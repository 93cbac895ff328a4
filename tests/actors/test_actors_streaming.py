"""Messages are made as they go, replies handed on as they come, and nothing of either is kept."""

import gc
import os
import weakref

import numpy as np
import plain_apps
import psutil
import pytest
from flwr.app import ArrayRecord, ConfigRecord, Message, RecordDict

from edgestill.actors import backlog as backlog_module
from edgestill.federation import FIRST_NODE_ID, LocalGrid
from edgestill.federation.aggregation.fold import read_sum

DEVICES = 120
ELEMENTS = 40_000
"""The sum of updates of this size is larger than what Ray sends along with a reply."""


@pytest.fixture(autouse=True)
def short_look_ahead(monkeypatch):
    monkeypatch.setattr(backlog_module, "LOOK_AHEAD", 20)


def asked(devices, size=1, kind="train"):
    for device in devices:
        record = ConfigRecord({"stall": False, "payload": bytes(size)})
        yield Message(RecordDict({"config": record}), FIRST_NODE_ID + device, kind)


def test_replies_come_while_messages_are_still_being_made(grid_of):
    made, seen_at = 0, []

    def source():
        nonlocal made
        for message in asked(range(DEVICES)):
            made += 1
            yield message

    grid = grid_of(plain_apps.sleeper(-1, seconds=0.0), DEVICES)
    for reply in grid.send_and_receive(source(), timeout=60.0):
        seen_at.append(made)
        assert not reply.has_error()
    assert len(seen_at) == DEVICES
    assert seen_at[0] < DEVICES
    assert made == DEVICES


def test_neither_messages_nor_replies_are_kept_once_they_went_through(grid_of):
    alive: list[weakref.ref] = []

    def source():
        for message in asked(range(DEVICES)):
            alive.append(weakref.ref(message))
            yield message

    grid = grid_of(plain_apps.sleeper(-1, seconds=0.0), DEVICES)
    replies = grid.send_and_receive(source(), timeout=60.0)
    most = 0
    for number, reply in enumerate(replies):
        alive.append(weakref.ref(reply))
        del reply
        if number % 10 == 0:
            gc.collect()
            most = max(most, sum(one() is not None for one in alive))
    gc.collect()
    # Messages look ahead, replies of the chunks that landed together, and the first of all.
    assert most < DEVICES
    assert sum(one() is not None for one in alive) <= 1


def test_the_sum_comes_last_and_has_the_bits_of_one_process(grid_of):
    app = plain_apps.summable(ELEMENTS)
    sums = []
    for grid in (grid_of(app, DEVICES), LocalGrid(app, DEVICES)):
        *replies, last = grid.send_and_receive(asked(range(DEVICES)), timeout=60.0)
        if (total := read_sum(last)) is None:
            total = plain_apps.sum_of([*replies, last])
        else:
            assert len(replies) == DEVICES
            assert not any("update" in reply.content for reply in replies)
        sums.append(total)
    here, there = sums
    assert here.updates == there.updates == DEVICES
    assert here.weights == there.weights
    for key, values in here.sums.items():
        assert values.tobytes() == there.sums[key].tobytes()


def test_a_reply_that_is_pulled_comes_with_its_update(grid_of):
    grid = grid_of(plain_apps.summable(ELEMENTS), 4)
    waiting = set(grid.push_messages(list(asked(range(4)))))
    pulled = []
    while waiting:
        fresh = list(grid.pull_messages(waiting))
        pulled += fresh
        waiting -= {reply.metadata.reply_to_message_id for reply in fresh}
    assert all("update" in reply.content for reply in pulled)


def test_time_out_answers_also_for_messages_that_were_never_made(grid_of, restarts):
    grid = grid_of(plain_apps.sleeper(0, seconds=60.0), DEVICES)

    def source():
        for message in asked(range(DEVICES)):
            message.content["config"]["stall"] = True
            yield message

    first = grid.send_and_receive(source(), timeout=2.0)
    replies = list(first)
    assert len(replies) == DEVICES
    late = [reply for reply in replies if reply.has_error()]
    assert {reply.error.reason for reply in late} == {"TimedOut: no reply within 2 s"}
    again = list(grid.send_and_receive(asked(range(DEVICES)), timeout=60.0))
    assert not any(reply.has_error() for reply in again)


def test_a_call_that_nobody_reads_to_its_end_does_not_disturb_the_next(grid_of):
    grid = grid_of(plain_apps.sleeper(-1, seconds=0.0), DEVICES)
    replies = grid.send_and_receive(asked(range(DEVICES)), timeout=60.0)
    next(replies)
    replies.close()
    nodes = [r.metadata.src_node_id for r in grid.send_and_receive(list(asked(range(10))))]
    assert sorted(nodes) == [FIRST_NODE_ID + device for device in range(10)]


def test_the_memory_of_cohorts_and_coordinator_stays_flat_over_large_rounds(grid_of, pool):
    grid = grid_of(plain_apps.digester(), 16)
    rng = np.random.default_rng(0)
    cohorts = [psutil.Process(place[1]) for place in pool._crew.places.values()]
    processes = [*cohorts, psutil.Process(os.getpid())]
    sizes: list[list[int]] = []
    for _ in range(30):
        shared = ArrayRecord([rng.random(500_000)])
        own = [ConfigRecord({"frame": rng.bytes(500_000)}) for _ in range(16)]
        sent = [
            Message(RecordDict({"a": shared, "b": own[d]}), FIRST_NODE_ID + d, "query")
            for d in range(16)
        ]
        assert not any(r.has_error() for r in grid.send_and_receive(sent, timeout=60.0))
        sizes.append([own_bytes(process) for process in processes])
    # A round moves 12 MB; a leak of one round in ten would show.
    for process in range(len(processes)):
        settled = max(round_sizes[process] for round_sizes in sizes[5:15])
        assert sizes[-1][process] < settled + 24e6


def own_bytes(process: psutil.Process) -> int:
    """Return the memory of a process without the object store's, which every reader maps."""
    return sum(one.private_dirty for one in process.memory_maps() if "plasma" not in one.path)
