"""Whole federations of six devices in this process: what a round does and what it withstands."""

import logging
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid

from edgestill.allocation import Level, allocation_of
from edgestill.codec import decode_arrays, encode_arrays
from edgestill.config import resolve
from edgestill.errors import ConfigurationError, FrameError, RunError
from edgestill.federation import (
    FIRST_NODE_ID,
    AloneCoordinator,
    Coordinator,
    LocalGrid,
    NoSource,
    Surroundings,
    World,
    alone_config,
    call_app,
    distil_centrally,
    make_client_app,
    make_server_app,
    node_contexts,
    world_of,
)
from edgestill.federation import device as device_part
from edgestill.federation.dispatch import ModelFrames
from edgestill.federation.messages import (
    DONE,
    LATE,
    METRICS,
    UNFIT,
    UPDATE,
    Instruction,
    read_instruction,
    task_records,
)
from edgestill.fleet import Vitals
from edgestill.models import leading_block
from edgestill.seeds import derive_seed
from edgestill.telemetry import MetricStore

STATIC = {"policy": "static"}


class Sabotaged(LocalGrid):
    """Lets a function change or drop the replies to train messages."""

    def __init__(self, config, change):
        super().__init__(make_client_app(config), config.fleet.devices)
        self._change = change

    def send_and_receive(self, messages, *, timeout=None):
        replies = super().send_and_receive(messages, timeout=timeout)
        if all(UPDATE not in one.content.config_records for one in replies if one.has_content()):
            return replies
        return [kept for one in replies if (kept := self._change(one)) is not None]


def device_of(reply):
    return reply.metadata.src_node_id - FIRST_NODE_ID


def test_a_federation_learns(federate, tiny_config):
    run = federate(tiny_config(federation={"rounds": 3}))
    assert run.rows[-1]["accuracy"] > 0.6
    assert run.seen.started == [(1, 6), (2, 6), (3, 6)]
    assert run.seen.rows == run.rows
    first = run.rows[0]
    assert (first["selected"], first["completed"], first["failed"]) == (6, 6, 0)
    assert set(first["devices_by_level"]) == set(first["levels"])
    assert all(first["loss_terms"][name] > 0 for name in ("task", "distill", "align"))
    assert first["uplink_bytes"]["update"] > 0
    assert first["downlink_bytes"]["model"] > 0
    assert first["downlink_bytes"]["knowledge"] > 0
    assert first["energy_j"] > 0
    assert first["flops"] > 0
    times = [row["time_s"] for row in run.rows]
    assert times == pytest.approx(np.cumsum([row["duration_s"] for row in run.rows]), rel=1e-9)
    assert run.state.selected_classes.sum() == 3 * 6 * 8


def test_without_knowledge_nothing_of_it_is_sent(federate, plain_config):
    run = federate(plain_config())
    assert run.rows[0]["downlink_bytes"]["knowledge"] == 0
    assert run.rows[0]["loss_terms"]["distill"] == 0
    assert run.state.selected_classes.sum() == 0


@pytest.mark.parametrize("strategy", ["FedProx", "FedYogi", "FedTrimmedAvg", "Krum"])
def test_every_strategy_plays_with_unequal_devices(federate, plain_config, strategy):
    run = federate(plain_config(federation={"strategy": strategy, "rounds": 1}))
    assert run.rows[0]["completed"] == 6
    assert all(np.isfinite(array).all() for array in run.state.arrays.values())


def test_a_device_without_data_is_skipped_and_counted(federate, plain_config):
    config = plain_config(seed=301, allocation=STATIC)
    world = world_of(config)
    world.owned[2] = world.owned[2][:0]
    run = federate(config)
    assert run.members[2].examples == 0
    assert [row["selected"] for row in run.rows] == [5, 5]
    assert [row["completed"] for row in run.rows] == [5, 5]


def test_a_device_whose_training_diverges_fails_by_reason_and_the_round_goes_on(
    federate, plain_config, monkeypatch
):
    original = device_part.train

    def train(module, arrays, samples, *rest):
        trained = original(module, arrays, samples, *rest)
        if len(samples) == 10 and float(samples.inputs["visual"].sum()) == poisoned:
            trained.arrays["classifier.bias"][0] = np.nan
        return trained

    config = plain_config()
    world = world_of(config)
    rows = world.dataset.inputs(world.owned[3])["visual"]
    poisoned = float(torch.from_numpy(rows).sum())
    monkeypatch.setattr(device_part, "train", train)
    run = federate(config)
    assert [row["failures"] for row in run.rows] == [{"ValueError": 1}] * 2
    assert [row["failed"] for row in run.rows] == [1, 1]
    assert [row["completed"] for row in run.rows] == [5, 5]
    assert all(np.isfinite(array).all() for array in run.state.arrays.values())
    assert run.store.value("edgestill_devices_failed_total", reason="ValueError") == 2


def test_when_all_fail_the_first_reason_is_told(federate, plain_config, monkeypatch):
    def train(*_):
        raise ArithmeticError("the numbers are gone")

    monkeypatch.setattr(device_part, "train", train)
    with pytest.raises(RunError, match=r"round 1: all 6 devices failed; the first: ") as caught:
        federate(plain_config())
    assert "ArithmeticError: the numbers are gone" in str(caught.value)


def test_a_damaged_update_and_a_lost_reply_are_counted(federate, plain_config):
    def change(reply):
        if device_of(reply) == 1:
            return None
        if device_of(reply) == 4:
            frame = bytearray(reply.content[UPDATE]["frame"])
            frame[len(frame) // 2] ^= 8
            reply.content[UPDATE]["frame"] = bytes(frame)
        return reply

    config = plain_config(federation={"rounds": 1})
    run = federate(config, grid=Sabotaged(config, change))
    assert run.rows[0]["failures"] == {"frame": 1, "NoReply": 1}
    assert run.rows[0]["completed"] == 4
    assert run.store.value("edgestill_devices_lost_total") == 1


def test_failures_change_the_mean_only_by_who_is_missing(federate, plain_config):
    config = plain_config(federation={"rounds": 1}, allocation=STATIC)
    run = federate(config, grid=Sabotaged(config, lambda r: r if device_of(r) != 5 else None))
    kept = []
    federate(config, grid=Sabotaged(config, lambda r: kept.append(r) or r))
    world, start = world_of(config), federate_start(config)
    total, weight = dict.fromkeys(start, 0.0), 0
    for reply in kept:
        if device_of(reply) != 5:
            delta = decode_arrays(reply.content[UPDATE]["frame"], fingerprint=world.fingerprint)
            examples = reply.content[METRICS]["num-examples"]
            weight += examples
            total = {n: total[n] + delta[n].astype(np.float64) * examples for n in total}
    for name, array in run.state.arrays.items():
        np.testing.assert_allclose(array, start[name] + total[name] / weight, atol=1e-6)


def federate_start(config):
    return world_of(config).family.initial_arrays(derive_seed(config.seed, "student"))


def test_a_deadline_marks_slow_devices_late_and_closes_the_round(federate, plain_config):
    free = federate(plain_config(federation={"rounds": 1}))
    groups = free.rows[0]["by_group"]
    durations = sorted(group["duration_s"] for group in groups.values())
    deadline_s = (durations[-2] + durations[-1]) / 2
    run = federate(plain_config(federation={"rounds": 1, "deadline_s": deadline_s}))
    row = run.rows[0]
    assert row["late"] >= 1
    assert row["completed"] + row["late"] == 6
    assert row["duration_s"] <= deadline_s
    assert row["flops"] <= free.rows[0]["flops"]
    slow = max(groups, key=lambda name: groups[name]["duration_s"])
    assert run.store.value("edgestill_devices_late_total", group=slow) == row["late"]


def test_over_selection_closes_with_those_wanted(federate, plain_config):
    options = {"rounds": 1, "fraction": 0.5, "over_selection": 1.0}
    row = federate(plain_config(federation=options)).rows[0]
    assert row["selected"] == 6
    assert 3 <= row["completed"] < 6
    assert row["completed"] + row["late"] == 6


def test_when_nobody_can_take_part_time_passes(federate, plain_config, caplog):
    groups = [{"name": "a", "profile": "phone", "availability": {"value": 0.0}}]
    with caplog.at_level(logging.WARNING, logger="edgestill"):
        run = federate(plain_config(fleet={"groups": groups}))
    assert [row["selected"] for row in run.rows] == [0, 0]
    assert [row["time_s"] for row in run.rows] == [60.0, 120.0]
    start = federate_start(plain_config(fleet={"groups": groups}))
    assert all(np.array_equal(run.state.arrays[name], start[name]) for name in start)
    assert "no device can take part" in caplog.text


def test_noise_is_added_to_updates_when_asked_for(federate, plain_config):
    clip, multiplier = 0.5, 0.8
    privacy = {"update_clip_norm": clip, "update_noise_multiplier": multiplier}
    kept = []

    def update_of(config):
        kept.clear()
        federate(config, grid=Sabotaged(config, lambda r: kept.append(r) or r))
        frame = kept[0].content[UPDATE]["frame"]
        arrays = decode_arrays(frame, fingerprint=world_of(config).fingerprint)
        return np.concatenate([array.ravel() for array in arrays.values()])

    federation = {"rounds": 1}
    exact = update_of(
        plain_config(federation=federation, allocation=STATIC, privacy={"update_clip_norm": clip})
    )
    config = plain_config(federation=federation, allocation=STATIC, privacy=privacy)
    noised = update_of(config)
    assert np.linalg.norm(exact) == pytest.approx(clip, rel=0.05)
    noise = noised - exact
    # Thousands of elements: the deviation is known to a few per cent, rounding adds a little.
    assert noise.std() == pytest.approx(clip * multiplier, rel=0.05)
    assert abs(noise.mean()) < 5 * clip * multiplier / math.sqrt(noise.size)
    np.testing.assert_array_equal(noised, update_of(config))


# One device by itself.


@pytest.fixture
def alone(plain_config):
    """A world and the instruction of its device 0, ready to be changed."""
    config = plain_config(allocation=STATIC)
    world = world_of(config)

    def instruct(level=Level.HIGH, free_memory_bytes=1e9, **changes):
        allocation = allocation_of(config.allocation.levels, level, world.dataset.kinds)
        frames = ModelFrames(world, federate_start(config))
        plain = {
            "round_number": 1,
            "allocation": allocation,
            "vitals": Vitals(
                cpu_ratio=0.2,
                free_memory_bytes=free_memory_bytes,
                battery_ratio=1.0,
                temperature_c=30.0,
                bandwidth_ratio=1.0,
                available=True,
            ),
            "closes_after_s": math.inf,
            "reduce": "sum",
            "proximal_mu": 0.0,
            "model": frames.record(allocation)["frame"],
            "knowledge": b"",
            "knowledge_fingerprint": 0,
        }
        return Instruction(**(plain | changes))

    return SimpleNamespace(
        world=world, instruct=instruct, act=lambda i: device_part.take_part(world, 0, i)
    )


def needs(world, level):
    allocation = allocation_of(world.config.allocation.levels, level, world.dataset.kinds)
    variant = world.family.variant(allocation.modalities, allocation.width)
    return variant.cost.training_memory_bytes(world.config.training.batch_size)


def test_a_device_too_small_lowers_its_level_until_it_fits(alone):
    memory = [needs(alone.world, level) for level in Level]
    assert memory == sorted(memory, reverse=True)
    for level, enough in zip(Level, memory, strict=True):
        answer = alone.act(alone.instruct(free_memory_bytes=enough))
        assert answer.metrics["status"] == DONE
        assert answer.metrics["severity"] == level.severity
        shapes = {
            name: array.shape
            for name, array in decode_arrays(
                answer.frame, fingerprint=alone.world.fingerprint
            ).items()
        }
        allocation = allocation_of(
            alone.world.config.allocation.levels, level, alone.world.dataset.kinds
        )
        variant = alone.world.family.variant(allocation.modalities, allocation.width)
        assert shapes == dict(variant.shapes)


def test_a_device_too_small_for_the_lowest_level_is_unfit_and_spends_nothing(alone):
    too_little = needs(alone.world, Level.CRITICAL) - 1
    answer = alone.act(alone.instruct(free_memory_bytes=too_little))
    assert answer.frame is None
    assert answer.metrics["status"] == UNFIT
    assert answer.metrics["severity"] == Level.CRITICAL.severity
    spent = ("flops", "energy-j", "total-s", "uplink-update-bytes")
    assert [answer.metrics[name] for name in spent] == [0, 0, 0, 0]


def test_unfit_devices_are_skipped_in_the_row(federate, plain_config, monkeypatch):
    monkeypatch.setattr(device_part, "fits", lambda vitals, work: vitals.free_memory_bytes > 1e8)
    run = federate(plain_config(federation={"rounds": 1}))
    assert run.rows[0]["skipped"] == 1
    assert run.rows[0]["completed"] == 5
    assert run.rows[0]["failed"] == 0


def test_a_late_device_spends_until_the_round_closes(alone):
    whole = alone.act(alone.instruct())
    assert whole.metrics["status"] == DONE
    total_s = whole.metrics["total-s"]
    late = alone.act(alone.instruct(closes_after_s=total_s / 100))
    assert late.frame is None
    assert late.metrics["status"] == LATE
    assert late.metrics["total-s"] == pytest.approx(total_s / 100, rel=1e-6)
    assert 0 < late.metrics["energy-j"] < whole.metrics["energy-j"]
    just = alone.act(alone.instruct(closes_after_s=total_s * 0.999))
    assert (just.metrics["status"], just.frame) == (LATE, None)
    assert alone.act(alone.instruct(closes_after_s=total_s)).metrics["status"] == DONE


@pytest.mark.parametrize("field", ["model", "knowledge"])
def test_damaged_frames_from_above_are_refused(alone, field):
    right = alone.instruct()
    other = encode_arrays({"w": np.ones(3, np.float32)}, bits=16, fingerprint=1)
    for frame in (b"x", right.model[:-1], other):
        with pytest.raises(FrameError):
            alone.act(alone.instruct(**{field: frame}))


def test_an_update_is_small_clipped_and_within_its_bound(alone):
    answer = alone.act(alone.instruct())
    arrays = decode_arrays(answer.frame, fingerprint=alone.world.fingerprint)
    norm = math.sqrt(sum(float(np.square(array).sum()) for array in arrays.values()))
    assert norm <= alone.world.config.privacy.update_clip_norm * 1.05
    assert answer.metrics["uplink-update-bytes"] == len(answer.frame)
    planned = device_part.plan(
        alone.world,
        0,
        alone.instruct().allocation,
        alone.instruct().vitals,
        model_bytes=0,
        knowledge_bytes=0,
        knowledge_samples=0,
    )
    assert len(answer.frame) <= planned.work.uplink_bytes


@pytest.mark.parametrize("missing", ["config", "task", "model", "allocation", "vitals"])
def test_a_train_message_that_lacks_something_is_refused(alone, missing):
    instruction = alone.instruct()
    content = RecordDict(
        {
            "config": ConfigRecord({"server-round": 3}),
            "model": ConfigRecord({"frame": instruction.model}),
            **task_records(
                instruction.allocation,
                instruction.vitals,
                closes_after_s=math.inf,
                reduce="sum",
                knowledge_fingerprint=0,
            ),
        }
    )
    message = Message(content, 2, "train")
    read = read_instruction(message)
    assert (read.round_number, read.allocation) == (3, instruction.allocation)
    assert (read.vitals, read.knowledge) == (instruction.vitals, b"")
    del content[missing]
    with pytest.raises(FrameError, match=f"without '{missing}'"):
        read_instruction(Message(content, 2, "train"))


# Models of the user's own, and the world.


@pytest.mark.parametrize("strategy", ["FedAvg", "FedAdam", "FedMedian"])
def test_a_users_model_with_a_scalar_and_running_statistics(federate, plain_config, strategy):
    config = plain_config(
        student={"factory": "own_models:flat"}, federation={"strategy": strategy, "rounds": 2}
    )
    start = federate_start(config)
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
        observer=SimpleNamespace(round_started=lambda *_: None, round_ended=lambda *_: None),
    )
    grid: Grid = LocalGrid(make_client_app(config), 6)
    app = make_server_app(surroundings, on_finished=ended.append)
    app(grid, node_contexts(1, 1)[FIRST_NODE_ID])
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
        observer=SimpleNamespace(round_started=lambda *_: None, round_ended=lambda *_: None),
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
    answer = call_app(make_client_app(config), message, node_contexts(6, 1)[FIRST_NODE_ID])
    assert answer.has_error()
    assert "FrameError: train message without 'config'" in answer.error.reason


def test_model_frames_are_shared_between_equal_allocations(plain_config):
    config = plain_config()
    world, start = world_of(config), federate_start(config)
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
