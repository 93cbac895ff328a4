"""What any of our Flower grids must do: one abstract test body, run on each of them.

A test class inherits :class:`GridContract` and gives a ``make_grid`` fixture: a function from a
ClientApp and a number of devices to a grid on which the app runs.
"""

import time
from collections import Counter

import numpy as np
import pytest
from flwr.app import (
    Array,
    ArrayRecord,
    ConfigRecord,
    Context,
    Message,
    MessageType,
    MetricRecord,
    RecordDict,
)
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import FedAvg

DEVICES = 5


def plain_app() -> ClientApp:
    """An app that knows nothing of us: it adds its device's number, or fails on request."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        device = int(context.node_config["partition-id"])
        if device in message.content.config_records["config"].get("fail", []):
            raise ValueError(f"device {device} will not")
        value = message.content.array_records["arrays"]["x"].numpy() + device
        content = RecordDict(
            {
                "arrays": ArrayRecord({"x": Array(value)}),
                "metrics": MetricRecord({"num-examples": device + 1, "device": device}),
            }
        )
        return Message(content, reply_to=message)

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        value = float(message.content.array_records["arrays"]["x"].numpy().mean())
        metrics = MetricRecord({"num-examples": 1, "x": value})
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    @app.query("count")
    def count(message: Message, context: Context) -> Message:
        calls = context.state.get("calls", MetricRecord({"n": 0}))
        context.state["calls"] = MetricRecord({"n": calls["n"] + 1})
        return Message(RecordDict({"calls": context.state["calls"]}), reply_to=message)

    return app


class GridContract:
    """The tests; ``make_grid`` comes from the class that inherits them."""

    @pytest.fixture
    def grid(self, make_grid):
        return make_grid(plain_app(), DEVICES)

    @pytest.fixture
    def arrays(self):
        return ArrayRecord({"x": Array(np.zeros(3))})

    def messages(self, grid, arrays, nodes=None, **config):
        record = RecordDict({"arrays": arrays, "config": ConfigRecord(config)})
        chosen = grid.get_node_ids() if nodes is None else nodes
        return [
            grid.create_message(record, MessageType.TRAIN, node, group_id="1") for node in chosen
        ]

    def pulled(self, grid, identifiers):
        """Pull until every reply has come."""
        missing, replies = set(identifiers), []
        for _ in range(600):
            fresh = list(grid.pull_messages(missing))
            replies += fresh
            missing -= {reply.metadata.reply_to_message_id for reply in fresh}
            if not missing:
                break
            time.sleep(0.05)
        return replies

    def test_there_is_a_node_for_each_device_and_none_is_flowers_own(self, grid):
        nodes = list(grid.get_node_ids())
        assert len(set(nodes)) == DEVICES
        assert all(isinstance(node, int) and node > 1 for node in nodes)
        assert list(grid.get_node_ids()) == nodes

    def test_each_message_gets_its_own_devices_reply(self, grid, arrays):
        sent = self.messages(grid, arrays)
        replies = list(grid.send_and_receive(sent))
        assert len(replies) == DEVICES
        by_node = {reply.metadata.src_node_id: reply for reply in replies}
        for device, node in enumerate(grid.get_node_ids()):
            reply = by_node[node]
            assert reply.has_content()
            assert reply.content.metric_records["metrics"]["device"] == device
            value = reply.content.array_records["arrays"]["x"].numpy()
            assert value.tolist() == [device] * 3
            assert reply.metadata.message_type == MessageType.TRAIN
        asked = {message.metadata.message_id for message in sent}
        assert {reply.metadata.reply_to_message_id for reply in replies} == asked

    def test_what_was_sent_is_not_changed(self, grid, arrays):
        sent = self.messages(grid, arrays)
        list(grid.send_and_receive(sent))
        assert all(one.content.array_records["arrays"]["x"].numpy().sum() == 0 for one in sent)
        assert all(set(one.content) == {"arrays", "config"} for one in sent)

    def test_push_gives_distinct_ids_and_each_reply_is_pulled_once(self, grid, arrays):
        sent = self.messages(grid, arrays)
        identifiers = list(grid.push_messages(sent))
        assert len(set(identifiers)) == DEVICES
        assert identifiers == [message.metadata.message_id for message in sent]
        first = self.pulled(grid, identifiers[:2])
        assert {one.metadata.reply_to_message_id for one in first} == set(identifiers[:2])
        rest = self.pulled(grid, identifiers[2:])
        assert {one.metadata.reply_to_message_id for one in rest} == set(identifiers[2:])
        assert list(grid.pull_messages(identifiers)) == []

    def test_unknown_ids_and_no_messages_give_nothing(self, grid):
        assert list(grid.pull_messages(["never-sent"])) == []
        assert list(grid.pull_messages([])) == []
        assert list(grid.push_messages([])) == []
        assert list(grid.send_and_receive([])) == []

    def test_a_subset_of_the_nodes_can_be_asked(self, grid, arrays):
        chosen = list(grid.get_node_ids())[1::2]
        replies = list(grid.send_and_receive(self.messages(grid, arrays, chosen), timeout=60.0))
        assert sorted(reply.metadata.src_node_id for reply in replies) == sorted(chosen)

    def test_one_node_can_be_asked_twice_at_once(self, grid, arrays):
        node = next(iter(grid.get_node_ids()))
        replies = list(grid.send_and_receive(self.messages(grid, arrays, [node, node])))
        assert [reply.metadata.src_node_id for reply in replies] == [node, node]
        assert len({reply.metadata.reply_to_message_id for reply in replies}) == 2

    def test_what_an_app_raises_is_an_error_reply_with_its_traceback(self, grid, arrays):
        sent = self.messages(grid, arrays, fail=[1, 3])
        replies = list(grid.send_and_receive(sent))
        assert Counter(reply.has_error() for reply in replies) == {True: 2, False: 3}
        nodes = list(grid.get_node_ids())
        for reply in replies:
            device = nodes.index(reply.metadata.src_node_id)
            assert reply.has_error() == (device in (1, 3))
            if reply.has_error():
                assert f"ValueError: device {device} will not" in reply.error.reason
                assert "Traceback" in reply.error.reason
        # The failure is that message's alone.
        assert not any(
            one.has_error() for one in grid.send_and_receive(self.messages(grid, arrays))
        )

    def test_a_message_nobody_handles_is_an_error_reply(self, grid):
        node = next(iter(grid.get_node_ids()))
        message = grid.create_message(RecordDict(), "query.unheard_of", node, group_id="1")
        (reply,) = grid.send_and_receive([message])
        assert reply.has_error()

    def test_a_devices_state_is_kept_between_messages(self, grid):
        nodes = list(grid.get_node_ids())[:2]
        counts = []
        for _ in range(3):
            sent = [
                grid.create_message(RecordDict(), "query.count", n, group_id="1") for n in nodes
            ]
            replies = list(grid.send_and_receive(sent))
            counts.append([reply.content.metric_records["calls"]["n"] for reply in replies])
        assert counts == [[1, 1], [2, 2], [3, 3]]

    def test_flowers_own_fedavg_runs_unmodified(self, grid, arrays):
        strategy = FedAvg(min_train_nodes=DEVICES, min_available_nodes=DEVICES)
        result = strategy.start(grid=grid, initial_arrays=arrays, num_rounds=3, timeout=60.0)
        # Each round adds the mean of 0..4, weighted by 1..5: 40 / 15.
        value = result.arrays["x"].numpy()
        assert abs(value - 3 * 40 / 15).max() < 1e-9
        assert abs(result.evaluate_metrics_clientapp[3]["x"] - 3 * 40 / 15) < 1e-9
