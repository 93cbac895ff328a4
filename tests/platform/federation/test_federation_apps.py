"""Models of the user's own, the world, and the two Flower apps."""

from types import SimpleNamespace

import numpy as np
import pytest
from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

from edgestill.allocation import Level, allocation_of
from edgestill.codec import decode_arrays
from edgestill.config import resolve
from edgestill.errors import ConfigurationError, RunError
from edgestill.federation import (
    FIRST_NODE_ID,
    AloneCoordinator,
    Coordinator,
    LocalGrid,
    NodeContexts,
    NoSource,
    Surroundings,
    World,
    alone_config,
    call_app,
    distil_centrally,
    make_client_app,
    make_server_app,
    world_of,
)
from edgestill.federation.rounds.dispatch import ModelFrames
from edgestill.models import leading_block
from edgestill.telemetry import MetricStore

STATIC = {"policy": "static"}


@pytest.mark.parametrize("strategy", ["FedAvg", "FedAdam", "FedMedian"])
def test_a_users_model_with_a_scalar_and_running_statistics(
    federate, plain_config, strategy, start_of
):
    config = plain_config(
        student={"factory": "own_models:flat"}, federation={"strategy": strategy, "rounds": 2}
    )
    start = start_of(config)
    run = federate(config)
    assert [row["completed"] for row in run.rows] == [6, 6]
    for name in ("scale", "norms.visual.running_mean", "norms.audio.running_var"):
        assert run.state.arrays[name].shape == start[name].shape
        assert not np.array_equal(run.state.arrays[name], start[name])


def test_a_users_model_learns_from_a_teacher(federate, tiny_config):
    run = federate(tiny_config(student={"factory": "own_models:flat"}))
    assert run.rows[-1]["loss_terms"]["distill"] > 0
    assert run.rows[-1]["completed"] == 6


def test_more_devices_than_samples_is_refused(plain_config):
    with pytest.raises(ConfigurationError, match="61 devices but only 60 private samples"):
        World.build(plain_config(fleet={"devices": 61}))


def test_a_factory_that_cannot_be_found_names_its_key(plain_config):
    with pytest.raises(ConfigurationError, match=r"^student\.factory: 'own_models:nothing'"):
        World.build(plain_config(student={"factory": "own_models:nothing"}))


def test_a_world_is_built_once_for_a_configuration(plain_config):
    assert world_of(plain_config(name="a")) is world_of(plain_config(name="a"))
    assert world_of(plain_config(name="b")).config.name == "b"
    assert world_of(plain_config()) is not world_of(plain_config(seed=8))


# The server app, and the peers that the report compares with.


def test_the_server_app_runs_the_rounds(plain_config):
    config = plain_config()
    ended = []
    surroundings = Surroundings(
        world=world_of(config),
        source=NoSource(4),
        store=MetricStore(max_device_series=0),
        observer=SimpleNamespace(
            vitals_exported=lambda: None,
            round_started=lambda *_: None,
            round_ended=lambda *_: None,
        ),
    )
    grid: Grid = LocalGrid(make_client_app(config), 6)
    app = make_server_app(surroundings, on_finished=ended.append)
    app(grid, NodeContexts(1, 1)[FIRST_NODE_ID])
    assert ended[0].state.round_number == 2


def test_devices_alone_are_scored_each_by_itself(plain_config):
    config = alone_config(plain_config(federation={"rounds": 3}))
    assert config.federation.rounds == 1
    assert config.allocation.levels.high.epochs == 6
    world = world_of(config)
    surroundings = Surroundings(
        world=world,
        source=NoSource(4),
        store=MetricStore(max_device_series=0),
        observer=SimpleNamespace(
            vitals_exported=lambda: None,
            round_started=lambda *_: None,
            round_ended=lambda *_: None,
        ),
    )
    coordinator = AloneCoordinator(LocalGrid(make_client_app(config), 6), surroundings)
    before = {name: array.copy() for name, array in coordinator.state.arrays.items()}
    coordinator.run()
    assert sorted(coordinator.accuracies) == list(range(6))
    assert all(0 <= accuracy <= 1 for accuracy in coordinator.accuracies.values())
    assert len(set(coordinator.accuracies.values())) > 1
    assert all(np.array_equal(coordinator.state.arrays[n], before[n]) for n in before)


def test_a_student_distilled_in_the_cloud(tiny_config, source_of):
    config = tiny_config(federation={"rounds": 3})
    bank = source_of(config)._bank
    accuracies = list(distil_centrally(world_of(config), bank))
    assert len(accuracies) == 3
    assert accuracies[-1] > 1 / 4
    assert accuracies == list(distil_centrally(world_of(config), bank))


def test_the_devices_app_turns_exceptions_into_error_replies(plain_config):
    config = plain_config()
    message = Message(RecordDict(), FIRST_NODE_ID, "train")
    message.metadata.__dict__["_message_id"] = "m"
    answer = call_app(make_client_app(config), message, NodeContexts(6, 1)[FIRST_NODE_ID])
    assert answer.has_error()
    assert "FrameError: train message without 'config'" in answer.error.reason


def test_model_frames_are_shared_between_equal_allocations(plain_config, start_of):
    config = plain_config()
    world, start = world_of(config), start_of(config)
    frames = ModelFrames(world, start)
    levels, kinds = config.allocation.levels, world.dataset.kinds
    high, low = (allocation_of(levels, level, kinds) for level in (Level.HIGH, Level.LOW))
    assert frames.record(high) is frames.record(allocation_of(levels, Level.HIGH, kinds))
    assert frames.size_bytes(low) < frames.size_bytes(high)
    sent = decode_arrays(frames.record(low)["frame"], fingerprint=world.fingerprint)
    block = leading_block(start, {name: array.shape for name, array in sent.items()})
    for name, array in sent.items():
        np.testing.assert_allclose(array, block[name], rtol=1e-3, atol=1e-4)


def test_resolve_is_what_the_fixture_uses(tiny_config):
    assert tiny_config() == resolve(tiny_config().model_dump(mode="json"))


def test_a_model_that_diverged_ends_the_run_in_one_line(plain_config):
    config = plain_config()
    coordinator = Coordinator(
        LocalGrid(make_client_app(config), 6),
        Surroundings(
            world=world_of(config),
            source=NoSource(4),
            store=MetricStore(max_device_series=0),
            observer=SimpleNamespace(round_started=None, round_ended=None),
        ),
    )
    coordinator.state.arrays["classifier.bias"][0] = np.nan
    with pytest.raises(RunError, match=r"round 3: the global model diverged \(loss nan\)"):
        coordinator._score(3)
