"""RayGrid is Flower's Grid: its own strategies and apps run on it as they are."""

import numpy as np
import plain_apps
import pytest
import ray
from flwr.app import ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.common.constant import ErrorCode
from flwr.serverapp.strategy import FedAvg, FedMedian
from grid_contract import GridContract

from edgestill.actors import envelopes
from edgestill.federation import FIRST_NODE_ID, LocalGrid

DEVICES = 6


class TestRayGridContract(GridContract):
    @pytest.fixture
    def make_grid(self, grid_of):
        return grid_of


START = {"layer": np.arange(6, dtype=np.float32).reshape(2, 3), "bias": np.zeros(2, np.float32)}


def start() -> ArrayRecord:
    return ArrayRecord(list(START.values()))


def messages(kind: str, record: RecordDict, devices: int) -> list[Message]:
    return [
        Message(RecordDict(dict(record)), FIRST_NODE_ID + device, kind) for device in range(devices)
    ]


def moved_by(step: float) -> list[np.ndarray]:
    return [array + np.float32(step) for array in START.values()]


# Steps are 1 to 6: mean and median are 3.5, and two rounds move by 7.
@pytest.mark.parametrize("strategy", [FedAvg, FedMedian])
def test_flowers_own_strategies_run_unmodified(grid_of, strategy):
    result = strategy(fraction_evaluate=0.0).start(
        grid=grid_of(plain_apps.learner(), DEVICES), initial_arrays=start(), num_rounds=2
    )
    for array, expected in zip(result.arrays.to_numpy_ndarrays(), moved_by(7.0), strict=True):
        np.testing.assert_allclose(array, expected, rtol=1e-6)


def test_a_strategy_gets_the_same_from_ray_as_from_this_process(grid_of):
    results = [
        FedAvg(fraction_evaluate=0.0).start(grid=grid, initial_arrays=start(), num_rounds=2)
        for grid in (
            grid_of(plain_apps.learner(), DEVICES),
            LocalGrid(plain_apps.learner(), DEVICES),
        )
    ]
    here, there = (result.arrays.to_numpy_ndarrays() for result in results)
    for left, right in zip(here, there, strict=True):
        # Flower asks the nodes in an order of its own each time, and floats add up in that order.
        np.testing.assert_allclose(left, right, rtol=1e-6)
    assert results[0].train_metrics_clientapp == results[1].train_metrics_clientapp


def test_a_devices_state_lives_through_rounds_and_is_its_own(grid_of):
    grid = grid_of(plain_apps.learner(), DEVICES)
    record = RecordDict({"arrays": start()})
    for devices, expected in [(DEVICES, [1] * 6), (3, [2] * 3), (DEVICES, [3] * 3 + [2] * 3)]:
        replies = list(grid.send_and_receive(messages("train", record, devices)))
        counts = {r.metadata.src_node_id: r.content["metrics"]["rounds"] for r in replies}
        assert [counts[FIRST_NODE_ID + device] for device in range(devices)] == expected


def test_an_exception_on_a_device_comes_back_as_an_error_with_its_traceback(grid_of, restarts):
    grid = grid_of(plain_apps.faulty(2), DEVICES)
    replies = list(grid.send_and_receive(messages("train", RecordDict(), DEVICES)))
    failed = [reply for reply in replies if reply.has_error()]
    assert len(replies) == DEVICES
    assert [reply.metadata.src_node_id for reply in failed] == [FIRST_NODE_ID + 2]
    assert failed[0].error.code == ErrorCode.CLIENT_APP_RAISED_EXCEPTION
    assert "Traceback" in failed[0].error.reason
    assert "ZeroDivisionError: device 2 divides" in failed[0].error.reason
    assert restarts() == 0


@pytest.fixture
def puts(monkeypatch):
    """What is put into the object store."""
    kept = []
    put = ray.put
    monkeypatch.setattr(envelopes.ray, "put", lambda value: (kept.append(value), put(value))[1])
    return kept


def test_records_that_messages_share_are_put_once_and_come_back_intact(grid_of, puts):
    grid = grid_of(plain_apps.digester(), 12)
    rng = np.random.default_rng(0)
    frame = ConfigRecord({"frame": rng.bytes(10_000)})
    arrays = ArrayRecord([rng.random((40, 40))])
    small = ConfigRecord({"frame": b"few bytes"})
    own = [ConfigRecord({"frame": rng.bytes(10_000)}) for _ in range(12)]
    sent = [
        Message(
            RecordDict({"frame": frame, "arrays": arrays, "small": small, "own": own[device]}),
            FIRST_NODE_ID + device,
            "query",
        )
        for device in range(12)
    ]
    puts.clear()
    replies = list(grid.send_and_receive(sent))
    assert len(puts) == 2
    assert {id(value) for value in puts} == {id(frame), id(arrays)}
    for reply in replies:
        device = reply.metadata.src_node_id - FIRST_NODE_ID
        expected = {
            name: plain_apps._digest(record)
            for name, record in {
                "frame": frame,
                "arrays": arrays,
                "small": small,
                "own": own[device],
            }.items()
        }
        assert dict(reply.content["digests"]) == expected
    assert all(set(message.content) == {"frame", "arrays", "small", "own"} for message in sent)
