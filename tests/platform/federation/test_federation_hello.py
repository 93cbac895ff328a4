"""The first message: who is there, how much data, and nothing of it but a noised summary."""

import numpy as np
import pytest
from flwr.app import Message, RecordDict

from edgestill.errors import CheckpointError, RunError
from edgestill.federation import (
    FIRST_NODE_ID,
    LocalGrid,
    Members,
    NodeContexts,
    call_app,
    make_client_app,
    world_of,
)
from edgestill.federation.messages import FRAME, METRICS, SUMMARY
from edgestill.federation.roster.hello import Greeter
from edgestill.knowledge import decode_projection, project

EVERYBODY = np.arange(6)


def greeter(config, source_of, grid=None, members=None, projection=None):
    return Greeter(
        grid=grid or LocalGrid(make_client_app(config), config.fleet.devices),
        members=Members(config.fleet.devices) if members is None else members,
        projection=source_of(config).projection() if projection is None else projection,
        fingerprint=world_of(config).fingerprint,
        timeout_s=5.0,
    )


def members(config, source_of, grid=None):
    asking = greeter(config, source_of, grid)
    asking.greet(EVERYBODY)
    return asking.members


def exact_histogram(config, device):
    world = world_of(config)
    return np.bincount(world.dataset.labels[world.owned[device]], minlength=4)


class Meddling(LocalGrid):
    """Lets a function change the answers to hello, and counts them."""

    def __init__(self, config, change):
        super().__init__(make_client_app(config), config.fleet.devices)
        self._change = change
        self.asked = []

    def send_and_receive(self, messages, *, timeout=None):
        for reply in super().send_and_receive(messages):
            self.asked.append(reply.metadata.src_node_id - FIRST_NODE_ID)
            if (changed := self._change(reply)) is not None:
                yield changed


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
        assert summary.histogram.shape == (4,)
        assert summary.prototype.ndim == 1
        assert member.summary_bytes > 0
        # A run that is taken up again must not spend the privacy twice.
        np.testing.assert_array_equal(summary.histogram, again[device].summary.histogram)
        np.testing.assert_array_equal(summary.prototype, again[device].summary.prototype)
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
        points = project(projection, world.dataset.inputs(rows), world.dataset.labels[rows])
        # The noise is small beside the clip norm of a million, not beside one.
        np.testing.assert_allclose(
            member.summary.prototype,
            points.sum(axis=0),
            atol=8.0,
        )


def test_a_histogram_has_no_prototype(tiny_config, source_of):
    config = tiny_config(knowledge={"summary": {"kind": "histogram", "noise_multiplier": 1e-6}})
    for device, member in members(config, source_of).items():
        assert member.summary.prototype is None
        np.testing.assert_allclose(
            member.summary.histogram, exact_histogram(config, device), atol=1e-4
        )


@pytest.mark.parametrize("selection", ["random", "none", "all"])
def test_policies_that_need_no_summary_get_none(tiny_config, source_of, selection):
    for member in members(tiny_config(knowledge={"selection": selection}), source_of).values():
        assert member.summary is None
        assert member.summary_bytes == 0


def test_a_device_without_data_tells_nothing(tiny_config, source_of, take_data):
    config = tiny_config(seed=302)
    take_data(world_of(config), 1)
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


def test_a_device_says_hello_once_unless_nobody_heard_it(tiny_config, source_of):
    config = tiny_config()
    grid = Meddling(config, lambda reply: reply)
    asking = greeter(config, source_of, grid)
    assert asking.greet(np.array([4, 1])).devices.tolist() == [1, 4]
    assert asking.greet(np.array([1, 2, 4])).devices.tolist() == [2]
    nothing = asking.greet(np.array([1, 2]))
    assert (nothing.asked, len(nothing.devices), nothing.reason) == (0, 0, "")
    assert grid.asked == [4, 1, 2]
    mute = Meddling(config, lambda reply: None)
    asking = greeter(config, source_of, mute)
    for _ in range(2):
        heard = asking.greet(np.array([3]))
        assert (heard.asked, len(heard.devices), heard.reason) == (1, 0, "no reply in time")
    assert mute.asked == [3, 3]


def test_what_was_said_goes_through_a_checkpoint_to_the_bit(tiny_config, source_of):
    config = tiny_config()
    asking = greeter(config, source_of)
    asking.greet(np.array([5, 0]))
    asking.greet(np.array([3]))
    again = Members(6)
    again.restore(asking.members.state())
    assert list(again) == [0, 3, 5]
    assert again.summaries == 3
    for device in again:
        before, after = asking.members[device], again[device]
        assert (before.examples, before.summary_bytes) == (after.examples, after.summary_bytes)
        assert before.summary.noise_stddev == after.summary.noise_stddev
        np.testing.assert_array_equal(before.summary.histogram, after.summary.histogram)
        np.testing.assert_array_equal(before.summary.prototype, after.summary.prototype)
    # Who comes after the checkpoint is added to it.
    later = greeter(config, source_of, members=again)
    assert later.greet(EVERYBODY).devices.tolist() == [1, 2, 4]
    assert again.summaries == 6


def test_a_checkpoint_of_another_population_is_refused(tiny_config, source_of):
    asking = greeter(tiny_config(), source_of)
    asking.greet(EVERYBODY)
    with pytest.raises(CheckpointError, match="members: IndexError"):
        Members(3).restore(asking.members.state())
    with pytest.raises(CheckpointError, match="members: KeyError: 'devices'"):
        Members(3).restore({})


def test_nodes_of_another_grid_are_met_and_no_summary_is_asked_for_twice(tiny_config, source_of):
    config = tiny_config()
    early = greeter(config, source_of)
    early.greet(np.array([0, 2]))
    members = Members(6, nodes_by_rule=False)
    members.restore(early.members.state())
    assert not members.candidates().any()
    summaries = []

    def note(reply):
        if reply.content[SUMMARY][FRAME]:
            summaries.append(reply.metadata.src_node_id - FIRST_NODE_ID)
        return reply

    asking = greeter(config, source_of, Meddling(config, note), members)
    assert asking.meet().devices.tolist() == [1, 3, 4, 5]
    assert summaries == [1, 3, 4, 5]
    assert members.candidates().all()
    assert members.summaries == 6
    assert [members.node_of(device) for device in range(6)] == [2, 3, 4, 5, 6, 7]
    kept = early.members[2].summary.histogram
    np.testing.assert_array_equal(members[2].summary.histogram, kept)


def test_when_nobody_answers_the_reason_is_told(tiny_config, source_of):
    config = tiny_config()
    silent = greeter(config, source_of, Meddling(config, lambda reply: None))
    with pytest.raises(RunError, match="none of 6 devices answered: no reply in time"):
        silent.meet()

    def fail(message, context):
        raise OSError("no disk")

    grid = LocalGrid(fail, 6)
    with pytest.raises(RunError, match="none of 6 devices answered: OSError: no disk"):
        greeter(config, source_of, grid).meet()
    assert greeter(config, source_of, grid).greet(EVERYBODY).reason == "OSError: no disk"


def test_a_projection_of_another_run_is_refused_by_the_device(tiny_config, source_of):
    config, other = tiny_config(), tiny_config(seed=303)
    asking = greeter(config, source_of, projection=source_of(other).projection())
    assert "FrameError" in asking.greet(EVERYBODY).reason


def test_hello_without_its_projection_is_an_error_reply(tiny_config):
    message = Message(RecordDict(), FIRST_NODE_ID, "query.hello")
    message.metadata.__dict__["_message_id"] = "m"
    answer = call_app(make_client_app(tiny_config()), message, NodeContexts(6, 1)[FIRST_NODE_ID])
    assert answer.has_error()


def test_hello_waits_for_nodes_that_connect_late(tiny_config, source_of):
    config = tiny_config()
    grid = LocalGrid(make_client_app(config), config.fleet.devices)
    everyone, looks = list(grid.get_node_ids()), []

    def connecting():
        looks.append(None)
        return everyone[: len(looks)]

    grid.get_node_ids = connecting
    asking = greeter(config, source_of, grid, Members(6, nodes_by_rule=False))
    assert asking.meet().devices.tolist() == list(range(6))
