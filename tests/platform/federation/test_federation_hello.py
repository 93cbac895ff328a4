"""The first message: who is there, how much data, and nothing of it but a noised summary."""

import numpy as np
import pytest
from flwr.app import Message, RecordDict

from edgestill.errors import RunError
from edgestill.federation import (
    FIRST_NODE_ID,
    LocalGrid,
    call_app,
    make_client_app,
    node_contexts,
    world_of,
)
from edgestill.federation.hello import say_hello
from edgestill.federation.messages import FRAME, METRICS, SUMMARY
from edgestill.knowledge import decode_projection, project


def members(config, source_of, grid=None):
    world = world_of(config)
    grid = grid or LocalGrid(make_client_app(config), config.fleet.devices)
    return say_hello(
        grid,
        source_of(config).projection(),
        devices=config.fleet.devices,
        fingerprint=world.fingerprint,
        timeout_s=5.0,
    )


def exact_histogram(config, device):
    world = world_of(config)
    return np.bincount(world.dataset.labels[world.owned[device]], minlength=4)


class Meddling(LocalGrid):
    """Lets a function change the answers to hello."""

    def __init__(self, config, change):
        super().__init__(make_client_app(config), config.fleet.devices)
        self._change = change

    def send_and_receive(self, messages, *, timeout=None):
        return [self._change(reply) for reply in super().send_and_receive(messages)]


def test_everybody_says_who_he_is(tiny_config, source_of):
    config = tiny_config()
    known = members(config, source_of)
    assert list(known) == list(range(6))
    for device, member in known.items():
        assert member.node_id == FIRST_NODE_ID + device
        assert member.examples == len(world_of(config).owned[device])


@pytest.mark.parametrize("selection", ["relevance", "reversed"])
def test_summaries_are_noised_and_repeat(tiny_config, source_of, selection):
    config = tiny_config(knowledge={"selection": selection})
    known, again = members(config, source_of), members(config, source_of)
    errors = []
    for device, member in known.items():
        summary = member.summary
        assert summary.sums.shape[0] == 4
        assert member.summary_bytes > 0
        # A run that is taken up again must not spend the privacy twice.
        np.testing.assert_array_equal(summary.histogram, again[device].summary.histogram)
        np.testing.assert_array_equal(summary.sums, again[device].summary.sums)
        errors.append(summary.histogram - exact_histogram(config, device))
    stddev = known[0].summary.noise_stddev
    assert stddev == pytest.approx(np.sqrt(2), rel=1e-6)
    # 24 draws: the mean square is within a factor of two and a half of the variance.
    assert 0.4 < np.square(errors).mean() / stddev**2 < 2.5
    assert len({float(error[0]) for error in errors}) == 6


def test_with_next_to_no_noise_the_summary_is_the_devices_own(tiny_config, source_of):
    summary = {"kind": "prototypes", "noise_multiplier": 1e-6, "clip_norm": 1e6}
    config = tiny_config(knowledge={"summary": summary})
    world = world_of(config)
    frame = source_of(config).projection()
    projection = decode_projection(frame, fingerprint=world.fingerprint)
    for device, member in members(config, source_of).items():
        rows = world.owned[device]
        points, labels = project(projection, world.dataset.inputs(rows)), world.dataset.labels[rows]
        # The noise is small beside the clip norm of a million, not beside one.
        np.testing.assert_allclose(
            member.summary.sums,
            [points[labels == label].sum(axis=0) for label in range(4)],
            atol=8.0,
        )


def test_a_histogram_has_no_prototypes(tiny_config, source_of):
    config = tiny_config(knowledge={"summary": {"kind": "histogram", "noise_multiplier": 1e-6}})
    for device, member in members(config, source_of).items():
        assert member.summary.sums is None
        np.testing.assert_allclose(
            member.summary.histogram, exact_histogram(config, device), atol=1e-4
        )


@pytest.mark.parametrize("selection", ["random", "none", "all"])
def test_policies_that_need_no_summary_get_none(tiny_config, source_of, selection):
    for member in members(tiny_config(knowledge={"selection": selection}), source_of).values():
        assert member.summary is None
        assert member.summary_bytes == 0


def test_a_device_without_data_tells_nothing(tiny_config, source_of):
    config = tiny_config(seed=302)
    world_of(config).owned[1] = world_of(config).owned[1][:0]
    known = members(config, source_of)
    assert (known[1].examples, known[1].summary, known[1].summary_bytes) == (0, None, 0)
    assert known[0].summary is not None


def damage(reply):
    if reply.metadata.src_node_id == FIRST_NODE_ID + 2:
        reply.content[SUMMARY][FRAME] = reply.content[SUMMARY][FRAME][:-2]
    if reply.metadata.src_node_id == FIRST_NODE_ID + 4:
        del reply.content[METRICS]
    return reply


def test_damaged_answers_count_as_none(tiny_config, source_of, caplog):
    config = tiny_config()
    known = members(config, source_of, Meddling(config, damage))
    assert list(known) == [0, 1, 3, 5]
    assert f"node {FIRST_NODE_ID + 2} said no hello" in caplog.text
    assert f"node {FIRST_NODE_ID + 4} said no hello: hello without" in caplog.text


def test_when_nobody_answers_the_reason_is_told(tiny_config, source_of):
    config = tiny_config()

    class Silent(LocalGrid):
        def send_and_receive(self, messages, *, timeout=None):
            return []

    with pytest.raises(RunError, match="none of 6 devices answered: no reply in time"):
        members(config, source_of, Silent(make_client_app(config), 6))

    def fail(message, context):
        raise OSError("no disk")

    class Failing(LocalGrid):
        def push_messages(self, messages):
            self._app = fail
            return super().push_messages(messages)

    with pytest.raises(RunError, match="none of 6 devices answered: OSError: no disk"):
        members(config, source_of, Failing(make_client_app(config), 6))


def test_a_projection_of_another_run_is_refused_by_the_device(tiny_config, source_of):
    config, other = tiny_config(), tiny_config(seed=303)
    grid = LocalGrid(make_client_app(config), 6)
    with pytest.raises(RunError, match="FrameError"):
        say_hello(grid, source_of(other).projection(), devices=6, fingerprint=1, timeout_s=5.0)


def test_hello_without_its_projection_is_an_error_reply(tiny_config):
    message = Message(RecordDict(), FIRST_NODE_ID, "query.hello")
    message.metadata.__dict__["_message_id"] = "m"
    answer = call_app(make_client_app(tiny_config()), message, node_contexts(6, 1)[FIRST_NODE_ID])
    assert answer.has_error()


def test_hello_waits_for_nodes_that_connect_late(tiny_config, source_of):
    config = tiny_config()
    grid = LocalGrid(make_client_app(config), config.fleet.devices)
    everyone, looks = list(grid.get_node_ids()), []

    def connecting():
        looks.append(None)
        return everyone[: len(looks)]

    grid.get_node_ids = connecting
    members = say_hello(
        grid,
        source_of(config).projection(),
        devices=config.fleet.devices,
        fingerprint=world_of(config).fingerprint,
        timeout_s=60.0,
    )
    assert list(members) == list(range(config.fleet.devices))
