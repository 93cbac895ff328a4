"""Replies are summed where they arise, and the sum is the same wherever that is."""

import numpy as np
import pytest
from flwr.app import ConfigRecord, Error, Message, MetricRecord, RecordDict

from edgestill.codec import encode_arrays
from edgestill.errors import FrameError
from edgestill.federation import Aggregate, combine, fold, sum_message
from edgestill.federation.aggregation.collect import collect
from edgestill.federation.aggregation.fold import read_sum, read_update
from edgestill.federation.messages import METRICS, UPDATE, reply

FINGERPRINT = 5
SHAPES = {"w": (3, 4), "b": (4,), "s": ()}


def request(node):
    message = Message(RecordDict(), node, "train")
    message.metadata.__dict__["_message_id"] = f"to-{node}"
    return message


def answer(node, *, reduce="sum", examples=None, shapes=None, frame=None):
    rng = np.random.default_rng(node)
    delta = {
        name: np.array(rng.normal(size=shape), np.float32)
        for name, shape in (shapes or SHAPES).items()
    }
    coded = encode_arrays(delta, bits=8, fingerprint=FINGERPRINT, seed=node)
    figures = {"num-examples": node if examples is None else examples, "total-s": 1.0}
    return reply(request(node), figures, frame=frame or coded, reduce=reduce)


def answers():
    """Twelve replies of three shapes."""
    blocks = (SHAPES, {"w": (2, 4), "b": (4,)}, {"w": (3, 2)})
    return [answer(node, shapes=blocks[node % 3]) for node in range(2, 14)]


def assert_same(left, right):
    assert left.sums.keys() == right.sums.keys()
    for key, array in left.sums.items():
        np.testing.assert_array_equal(array, right.sums[key])
        assert array.dtype == np.int64
    assert left.weights == right.weights
    assert (left.magnitude, left.updates) == (right.magnitude, right.updates)


def direct():
    return combine([Aggregate.of(read_update(one, FINGERPRINT)) for one in answers()])


@pytest.mark.parametrize(("cohorts", "fogs"), [(1, 1), (2, 1), (3, 2), (4, 4), (12, 5)])
def test_cohorts_and_fogs_in_any_number_give_the_same_sum(cohorts, fogs):
    replies = answers()
    sums = [fold(replies[start::cohorts], FINGERPRINT).total for start in range(cohorts)]
    total = combine([combine(sums[start::fogs]) for start in range(fogs)])
    assert_same(total, direct())


def test_the_server_sums_what_nobody_summed_before():
    replies, early = answers(), answers()
    folded = fold(early[:5], FINGERPRINT)
    mixed = [*folded.replies, sum_message(folded.total, request(2)), *early[5:]]
    devices = {node: node - 2 for node in range(2, 14)}
    for some in (replies, mixed):
        collected = collect(some, devices, shapes=SHAPES, fingerprint=FINGERPRINT)
        assert_same(collected.total, direct())
        assert list(collected.figures) == list(range(12))
        assert collected.failures.total() == 0


def test_folding_takes_the_update_out_and_leaves_the_figures():
    folded = fold(answers(), FINGERPRINT)
    assert len(folded.replies) == 12
    assert not any(UPDATE in one.content.config_records for one in folded.replies)
    assert folded.replies[3].content.metric_records[METRICS]["num-examples"] == 5
    assert folded.total.updates == 12


def test_what_must_not_be_summed_passes():
    each = answer(4, reduce="each")
    error = Message(Error(1, "gone"), reply_to=request(5))
    bare = reply(request(6), {"num-examples": 3}, frame=None)
    folded = fold([each, error, bare], FINGERPRINT)
    assert folded.total is None
    assert folded.replies == [each, error, bare]
    assert UPDATE in each.content.config_records
    assert combine([None, None]) is None
    assert combine([]) is None


def test_sum_message_round_trip():
    total = direct()
    message = sum_message(total, request(2))
    assert_same(read_sum(message), total)
    assert read_sum(answer(2)) is None
    assert read_sum(Message(Error(1, "gone"), reply_to=request(2))) is None


@pytest.mark.parametrize(
    "frame",
    [
        b"nonsense",
        encode_arrays({"w": np.ones((3, 4), np.float32)}, bits=8, fingerprint=FINGERPRINT + 1),
        encode_arrays({"w": np.ones((3, 4), np.float32)}, bits=8, fingerprint=FINGERPRINT)[:-3],
    ],
    ids=["nonsense", "another model", "truncated"],
)
@pytest.mark.parametrize("reduce", ["sum", "each"])
def test_a_damaged_update_is_refused_and_the_others_count(frame, reduce):
    bad = answer(3, frame=frame, reduce=reduce)
    with pytest.raises(FrameError):
        read_update(bad, FINGERPRINT)
    # A cohort must not fall over it, nor hide it from whoever counts.
    folded = fold([answer(2), bad, answer(4)], FINGERPRINT)
    assert folded.total.updates == 2
    replies = [*folded.replies, sum_message(folded.total, request(2))]
    collected = collect(replies, {2: 0, 3: 1, 4: 2}, shapes=SHAPES, fingerprint=FINGERPRINT)
    assert dict(collected.failures) == {"frame": 1}
    assert list(collected.figures) == [0, 2]
    assert not collected.updates
    assert collected.total.updates == 2


@pytest.mark.parametrize("examples", [0, -3, 2.5, 2**40])
def test_a_weight_that_cannot_be_is_refused(examples):
    bad = answer(3, examples=examples)
    collected = collect([bad, answer(2)], {2: 0, 3: 1}, shapes=SHAPES, fingerprint=FINGERPRINT)
    assert list(collected.figures) == [0]
    assert collected.failures.total() == 1
    assert collected.total.updates == 1


@pytest.mark.parametrize("shapes", [{"w": (3, 5)}, {"w": (3,)}, {"other": (1,)}])
@pytest.mark.parametrize("reduce", ["sum", "each"])
def test_an_update_that_is_no_part_of_the_model_is_refused(shapes, reduce):
    replies = [answer(3, shapes=shapes, reduce=reduce), answer(2)]
    collected = collect(replies, {2: 0, 3: 1}, shapes=SHAPES, fingerprint=FINGERPRINT)
    assert dict(collected.failures) == {"frame": 1}
    assert list(collected.figures) == [0]
    assert not collected.updates


def test_a_reply_without_figures_is_refused():
    bare = Message(RecordDict(), reply_to=request(3))
    update = ConfigRecord({"frame": b"", "reduce": "sum"})
    half = Message(RecordDict({UPDATE: update}), reply_to=request(4))
    collected = collect(
        [bare, half, answer(2)], {2: 0, 3: 1, 4: 2}, shapes=SHAPES, fingerprint=FINGERPRINT
    )
    assert dict(collected.failures) == {"frame": 2}
    assert collected.first_failure == "reply without metrics"


MULTI_LINE = """Traceback (most recent call last):
  File "app.py", line 3, in train
    load()
torch.errors.LoadError: Error(s) in loading:
\tsize mismatch for head.weight: copying
and.more: text
"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ActorLost: the device ended 3 actors", "ActorLost"),
        ("TimedOut: no reply within 5 s", "TimedOut"),
        (MULTI_LINE, "LoadError"),
        ('Traceback (most recent call last):\n  File "a", line 1\nKeyError: 3\n', "KeyError"),
        (
            "Traceback (most recent call last):\n  File x\nKeyError: 3\n\nDuring handling of the "
            "above exception, another exception occurred:\n\nTraceback (most recent call last):\n"
            "  File y\nedgestill.errors.FrameError: short\n",
            "FrameError",
        ),
        (
            'Traceback (most recent call last):\n  File "a", line 1\nAssertionError\n',
            "AssertionError",
        ),
        ("something went wrong", "code_7"),
        ("", "code_7"),
    ],
)
def test_failures_are_counted_by_a_short_reason(text, reason):
    replies = [Message(Error(7, text), reply_to=request(node)) for node in (2, 3)]
    collected = collect(replies, {2: 0, 3: 1}, shapes=SHAPES, fingerprint=FINGERPRINT)
    assert dict(collected.failures) == {reason: 2}
    assert collected.first_failure == (text or "error 7")


def test_silence_is_counted_too():
    collected = collect([answer(2)], {2: 0, 3: 1, 4: 2}, shapes=SHAPES, fingerprint=FINGERPRINT)
    assert dict(collected.failures) == {"NoReply": 2}
    assert collected.first_failure == "2 devices gave no reply in time"


def test_updates_that_must_stay_single_are_kept_by_device():
    replies = [answer(node, reduce="each") for node in (4, 2, 3)]
    collected = collect(replies, {2: 9, 3: 8, 4: 7}, shapes=SHAPES, fingerprint=FINGERPRINT)
    assert list(collected.updates) == [7, 8, 9]
    assert collected.updates[7].examples == 4
    assert collected.total is None


def test_metrics_records_are_plain():
    collected = collect([answer(2)], {2: 0}, shapes=SHAPES, fingerprint=FINGERPRINT)
    assert not isinstance(collected.figures[0], MetricRecord)
    assert collected.figures[0] == {"num-examples": 2, "total-s": 1.0}
