"""One device by itself: what it makes of an instruction, and what it refuses."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from flwr.app import ConfigRecord, Message, RecordDict

from edgestill.allocation import Level, allocation_of
from edgestill.codec import decode_arrays, encode_arrays
from edgestill.errors import FrameError
from edgestill.federation import (
    world_of,
)
from edgestill.federation.device import part as device_part
from edgestill.federation.device import plan as planning
from edgestill.federation.messages import (
    DONE,
    LATE,
    UNFIT,
    Instruction,
    read_instruction,
    task_record,
    vitals_record,
)
from edgestill.federation.rounds.dispatch import ModelFrames
from edgestill.fleet import Vitals

STATIC = {"policy": "static"}


@pytest.fixture
def alone(plain_config, start_of):
    """A world and the instruction of its device 0, ready to be changed."""
    config = plain_config(allocation=STATIC)
    world = world_of(config)

    def instruct(level=Level.HIGH, free_memory_bytes=1e9, **changes):
        allocation = allocation_of(config.allocation.levels, level, world.dataset.kinds)
        frames = ModelFrames(world, start_of(config))
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
    monkeypatch.setattr(planning, "fits", lambda vitals, work: vitals.free_memory_bytes > 1e8)
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
            "task": task_record(closes_after_s=math.inf, reduce="sum", knowledge_fingerprint=0),
            "allocation": ConfigRecord(instruction.allocation.to_record()),
            "vitals": vitals_record(instruction.vitals),
        }
    )
    message = Message(content, 2, "train")
    read = read_instruction(message)
    assert (read.round_number, read.allocation) == (3, instruction.allocation)
    assert (read.vitals, read.knowledge) == (instruction.vitals, b"")
    del content[missing]
    with pytest.raises(FrameError, match=f"without '{missing}'"):
        read_instruction(Message(content, 2, "train"))
