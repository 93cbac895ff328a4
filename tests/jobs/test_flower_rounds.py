"""The grid that a foreign ServerApp gets, and the record of its rounds; no engine starts."""

import logging
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.supercore.run import RunNotRunningException

from edgestill.errors import RunError
from edgestill.federation import LocalGrid
from edgestill.federation.foreign import AppGrid, ForeignApp, RoundBook, at_home
from edgestill.jobs.flower import running
from edgestill.telemetry import MetricStore, current_fields

APPS = Path(__file__).parents[1] / "integration" / "flower_apps"
DEVICES = 6


class Served:
    """A grid served here, and what a thread of its own did with it."""

    def __init__(self, folder, faults="", fault_round=1):
        config = {"faults": faults, "fault-round": fault_round}
        app = ForeignApp("faulty.client_app:app", folder, config, seed=1)
        self.store = MetricStore()
        self.over = []
        self.book = RoundBook("faulty", self.store, self.over.append)
        self.grid = AppGrid(LocalGrid(app, DEVICES), self.book, timeout_s=60.0)
        self.result = None
        self.error = None

    def run(self, act):
        def acting():
            try:
                self.result = act(self.grid)
            except BaseException as error:
                self.error = error
            finally:
                self.grid.end()

        thread = threading.Thread(target=acting)
        thread.start()
        try:
            self.grid.serve()
        finally:
            thread.join(10)
        return self

    def failed(self, reason):
        return self.store.value("edgestill_devices_failed_total", reason=reason)


@pytest.fixture
def served(tmp_path):
    folder = Path(shutil.copytree(APPS / "faulty", tmp_path / "app"))
    before = os.getcwd()
    with at_home(folder):
        yield lambda *arguments: Served(folder, *arguments)
    assert os.getcwd() == before


def arrays():
    return ArrayRecord({"w": Array(np.zeros(3, np.float32)), "b": Array(np.zeros((2, 2)))})


def start(rounds):
    strategy = FedAvg(fraction_evaluate=0.0)
    return lambda grid: strategy.start(grid=grid, initial_arrays=arrays(), num_rounds=rounds)


def message(node, round_number=None):
    config = {} if round_number is None else {"server-round": round_number}
    content = RecordDict({"arrays": arrays(), "config": ConfigRecord({**config, "x": 1})})
    return Message(content, node, "train")


def test_failures_are_counted_by_reason_and_the_round_goes_on_with_the_rest(served):
    run = served("0:raise 1:none 2:shape 3:nan", 2).run(start(3))
    assert [row.number for row in run.over] == [1, 2, 3]
    work = run.over[1].work["train"]
    assert (work.asked, work.answered) == (6, 2)
    assert work.failed == {"Raised": 1, "WrongType": 1, "WrongShape": 1, "NotFinite": 1}
    for reason in work.failed:
        assert run.failed(reason) == 1
    assert np.array_equal(run.result.arrays["w"].numpy(), np.full(3, 3, np.float32))


def test_a_failed_call_leaves_the_devices_state_as_it_was(served):
    run = served("0:raise 1:raise 2:raise", 2).run(start(3))
    # Three of six devices have called three times, three twice.
    assert run.result.train_metrics_clientapp[3]["calls"] == pytest.approx(2.5)


def test_each_failure_is_one_line_with_device_and_round(served):
    lines = []

    class Lines(logging.Handler):
        def emit(self, record):
            lines.append((current_fields(), record.getMessage()))

    logger, lines_of = logging.getLogger("edgestill.federation.foreign"), Lines()
    logger.addHandler(lines_of)
    try:
        served("4:raise", 2).run(start(2))
    finally:
        logger.removeHandler(lines_of)
    fields = {"round": "2", "device": "4", "stage": "train"}
    assert lines == [(fields, "Raised: ValueError: no more")]


def test_a_round_in_which_all_fail_ends_the_run_with_the_first_traceback(served):
    run = served("*:raise", 2)
    with pytest.raises(RunError) as failure:
        run.run(start(3))
    text = str(failure.value)
    assert text.startswith("round 2: all of 6 devices failed (Raised 6); the first, device ")
    assert "Traceback (most recent call last)" in text
    assert 'raise ValueError("no more' in text
    assert isinstance(run.error, RunNotRunningException)
    assert [row.number for row in run.book.rounds] == [1, 2]


def test_the_last_round_too(served):
    with pytest.raises(RunError, match="round 2: all of 6"):
        served("*:nan", 2).run(start(2))


def test_replies_come_in_the_order_of_the_messages(served):
    nodes = [7, 2, 5, 3]

    def act(grid):
        return list(grid.send_and_receive([message(node, 9) for node in nodes]))

    run = served().run(act)
    assert [reply.metadata.src_node_id for reply in run.result] == nodes


def test_threads_that_send_one_message_each_get_each_their_own_reply(served):
    def act(grid):
        found = {}

        def ask(node):
            [reply] = grid.send_and_receive([message(node, 1)])
            found[node] = reply.metadata.src_node_id

        threads = [threading.Thread(target=ask, args=(node,)) for node in range(2, 8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    run = served().run(act)
    assert run.result == {node: node for node in range(2, 8)}
    assert run.over[0].work["train"].asked == 6


def test_pushed_messages_are_pulled_when_they_have_come(served):
    def act(grid):
        identifiers = list(grid.push_messages([message(2, 1), message(3, 1)]))
        replies = []
        while len(replies) < 2:
            replies += grid.pull_messages(identifiers)
        return replies

    run = served().run(act)
    assert {reply.metadata.src_node_id for reply in run.result} == {2, 3}
    assert run.book.rounds[0].work["train"].answered == 2


def test_rounds_are_counted_where_the_app_does_not_tell_them(served):
    def act(grid):
        for _ in range(3):
            list(grid.send_and_receive([message(2), message(3)]))
            list(grid.send_and_receive([Message(RecordDict(), 2, "evaluate")]))

    run = served().run(act)
    assert [row.number for row in run.over] == [1, 2, 3]
    # The app has no evaluation; that alone ends nothing.
    assert all(row.work["evaluate"].failed == {"Raised": 1} for row in run.over)


def test_a_round_of_evaluation_alone_in_which_all_fail_ends_the_run(served):
    def act(grid):
        return list(grid.send_and_receive([Message(RecordDict(), 2, "evaluate")]))

    with pytest.raises(RunError, match="round 0: all of 1 devices failed"):
        served().run(act)


def test_after_the_end_nothing_is_answered(served):
    run = served().run(lambda grid: None)
    with pytest.raises(RunNotRunningException):
        run.grid.send_and_receive([message(2, 1)])
    with pytest.raises(RunNotRunningException):
        run.grid.get_node_ids()


def test_what_the_server_app_raises_ends_the_run_with_its_traceback(served):
    app = ServerApp()

    @app.main()
    def main(grid, context):
        raise KeyError("its own")

    context = Context(run_id=1, node_id=1, node_config={}, state=RecordDict(), run_config={})
    with pytest.raises(RunError, match="the ServerApp raised KeyError: 'its own'\nTraceback"):
        running._serve(app, served().grid, context)


def test_parameters_that_are_wrapped_anew_for_each_client_travel_once(served):
    data = arrays()
    same = [ArrayRecord({name: data[name] for name in data}) for _ in range(3)]
    other = ArrayRecord({"w": Array("float64", (0,), "own", data["w"].data), "b": data["b"]})
    records = [*same, other]
    messages = [
        Message(
            RecordDict({"arrays": record, "config": ConfigRecord({"server-round": 1})}), n, "train"
        )
        for n, record in enumerate(records, start=2)
    ]
    served().run(lambda grid: grid.send_and_receive(messages))
    assert len({id(m.content["arrays"]) for m in messages[:3]}) == 1
    assert messages[3].content["arrays"] is other
