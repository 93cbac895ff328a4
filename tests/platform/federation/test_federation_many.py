"""Many devices in one call: the replies that each gives alone, whatever its neighbours do."""

import math

import numpy as np
import pytest
from flwr.app import ConfigRecord, Message, RecordDict

from edgestill.allocation import Level, allocation_of
from edgestill.codec import decode_arrays
from edgestill.federation import call_app, make_client_app, world_of
from edgestill.federation.device import lanes
from edgestill.federation.local_grid import FIRST_NODE_ID, NodeContexts
from edgestill.federation.messages import (
    ALLOCATION,
    CONFIG,
    FRAME,
    METRICS,
    MODEL,
    TASK,
    UPDATE,
    VITALS,
    task_record,
    vitals_record,
)
from edgestill.federation.rounds.dispatch import ModelFrames
from edgestill.fleet import Vitals

LEVELS = (Level.HIGH, Level.HIGH, Level.LOW, Level.HIGH, Level.CRITICAL)
WELL = Vitals(
    cpu_ratio=0.2,
    free_memory_bytes=1e9,
    battery_ratio=1.0,
    temperature_c=30.0,
    bandwidth_ratio=1.0,
    available=True,
)


@pytest.fixture
def config(plain_config):
    levels = {level.value: {"bits": 32} for level in Level}
    return plain_config(
        allocation={"policy": "static", "levels": levels}, federation={"downlink_bits": 32}
    )


@pytest.fixture
def asked(config, start_of):
    """A train message and a context for each of five devices, at different levels."""
    world = world_of(config)
    frames = ModelFrames(world, start_of(config))
    contexts = NodeContexts(config.fleet.devices, 1)
    messages = []
    for device, level in enumerate(LEVELS):
        allocation = allocation_of(config.allocation.levels, level, world.dataset.kinds)
        content = RecordDict(
            {
                CONFIG: ConfigRecord({"server-round": 1}),
                TASK: task_record(closes_after_s=math.inf, reduce="each", knowledge_fingerprint=0),
                ALLOCATION: ConfigRecord(allocation.to_record()),
                VITALS: vitals_record(WELL),
                MODEL: frames.record(allocation),
            }
        )
        messages.append(Message(content, FIRST_NODE_ID + device, "train"))
    return messages, [contexts[FIRST_NODE_ID + device] for device in range(len(LEVELS))]


def update_of(reply, config):
    frame = reply.content[UPDATE][FRAME]
    return decode_arrays(frame, fingerprint=world_of(config).fingerprint)


def test_many_give_what_each_gives_alone(config, asked):
    app = make_client_app(config)
    together = app.many(*asked)
    for message, context, reply in zip(*asked, together, strict=True):
        alone = call_app(app, message, context)
        assert reply.metadata.dst_node_id == alone.metadata.dst_node_id
        expected, found = dict(alone.content[METRICS]), dict(reply.content[METRICS])
        assert (expected.pop("vectorized"), found.pop("vectorized")) == (0, 1)
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)
        ours, theirs = update_of(reply, config), update_of(alone, config)
        assert ours.keys() == theirs.keys()
        for name, change in theirs.items():
            np.testing.assert_allclose(ours[name], change, atol=1e-5, err_msg=name)


def test_company_changes_no_bit(config, asked):
    app = make_client_app(config)
    messages, contexts = asked
    together = app.many(messages, contexts)
    for message, context, reply in zip(messages, contexts, together, strict=True):
        (alone,) = app.many([message], [context])
        assert alone.content[UPDATE][FRAME] == reply.content[UPDATE][FRAME]


def test_a_damaged_message_costs_only_its_own_device(config, asked):
    messages, contexts = asked
    whole = make_client_app(config).many(messages, contexts)
    content = RecordDict(dict(messages[1].content.items()))
    content[MODEL] = ConfigRecord({FRAME: b"damaged"})
    damaged = Message(content, messages[1].metadata.dst_node_id, "train")
    replies = make_client_app(config).many([messages[0], damaged, *messages[2:]], contexts)
    assert replies[1].has_error()
    assert "FrameError" in replies[1].error.reason
    for number in (0, 2, 3, 4):
        assert replies[number].content[UPDATE][FRAME] == whole[number].content[UPDATE][FRAME]


def test_a_lane_that_fails_is_trained_one_by_one(config, asked, monkeypatch, caplog):
    def fail(*_arguments, **_options):
        raise RuntimeError("no memory")

    monkeypatch.setattr(lanes, "train_lane", fail)
    replies = make_client_app(config).many(*asked)
    assert [reply.content[METRICS]["vectorized"] for reply in replies] == [0] * len(LEVELS)
    assert "a lane of 3 devices failed: no memory" in caplog.text


def test_the_reference_trainer_can_be_asked_for(config, asked):
    engine = config.engine.model_copy(update={"trainer": "sequential"})
    replies = make_client_app(config.model_copy(update={"engine": engine})).many(*asked)
    assert [reply.content[METRICS]["vectorized"] for reply in replies] == [0] * len(LEVELS)


def test_a_model_that_cannot_be_vectorized_says_why_once(config, asked, monkeypatch, caplog):
    monkeypatch.setattr(lanes, "lane_refusal", lambda *_: "its batches are mixed")
    replies = make_client_app(config).many(*asked)
    assert [reply.content[METRICS]["vectorized"] for reply in replies] == [0] * len(LEVELS)
    assert caplog.text.count("one by one: its batches are mixed") == 1
