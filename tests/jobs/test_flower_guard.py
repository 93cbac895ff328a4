"""What of a foreign client's reply is refused, and what is none of our business."""

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Error, Message, MetricRecord, RecordDict
from flwr.common import FitRes, Parameters, Status, ndarray_to_bytes
from flwr.common.typing import Code
from flwr.compat.common.recorddict_compat import fitres_to_recorddict, parameters_to_arrayrecord

from edgestill.federation import enter_run, set_message_id
from edgestill.federation.foreign import fault_of

SENT = {"w": np.zeros((3, 2), np.float32), "mask": np.array([0.0, -np.inf], np.float32)}


def record(arrays):
    return ArrayRecord({name: Array(np.asarray(array)) for name, array in arrays.items()})


@pytest.fixture
def sent():
    enter_run(1)

    def make(arrays=SENT, kind="train", name="arrays"):
        message = Message(RecordDict({name: record(arrays)}), 2, kind)
        set_message_id(message)
        return message

    return make


def reason(message, records):
    fault = fault_of(message, Message(RecordDict(records), reply_to=message))
    return None if fault is None else fault.reason


def changed(**arrays):
    return {"arrays": record({**SENT, **arrays})}


@pytest.mark.parametrize("returned", [None, {"w": 1}, [], 3.0])
def test_what_is_no_message_is_refused_by_its_type(sent, returned):
    fault = fault_of(sent(), returned)
    assert fault is not None
    assert fault.reason == "WrongType"
    assert type(returned).__name__ in fault.said


def test_a_reply_to_another_message_is_refused(sent):
    reply = Message(RecordDict(), reply_to=sent())
    assert fault_of(sent(), reply).reason == "WrongType"


def test_another_shape_under_the_same_keys_is_refused_and_named(sent):
    message = sent()
    reply = Message(RecordDict(changed(w=np.zeros((2, 2), np.float32))), reply_to=message)
    fault = fault_of(message, reply)
    assert fault.reason == "WrongShape"
    assert "arrays['w'] has shape (2, 2); (3, 2) was sent" in fault.said


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_new_value_that_is_not_finite_is_refused(sent, value):
    arrays = np.zeros((3, 2), np.float32)
    arrays[1, 1] = value
    assert reason(sent(), changed(w=arrays)) == "NotFinite"
    assert reason(sent(), {"adapter": record({"a": arrays})}) == "NotFinite"


def test_a_weight_that_is_not_finite_is_refused(sent):
    assert reason(sent(), {"m": MetricRecord({"num-examples": float("nan")})}) == "NotFinite"


@pytest.mark.parametrize(
    "returned",
    [
        pytest.param({}, id="nothing"),
        pytest.param(changed(), id="infinite-where-it-was-sent-so"),
        pytest.param({"arrays": record({"adapter": np.ones(5)})}, id="adapters"),
        pytest.param({"arrays": record({"w": np.ones((1, 1), np.float32)})}, id="some-keys"),
        pytest.param(changed(w=np.ones(9, np.int8)), id="quantised"),
        pytest.param(changed(w=np.ones((1,), np.float64)), id="another-type"),
        pytest.param({"arrays": record({"w": np.float32(1)})}, id="a-scalar"),
        pytest.param({"m": MetricRecord({"loss": float("nan")})}, id="a-loss"),
        pytest.param({"m": MetricRecord({"num-examples": [1, 2]})}, id="a-list"),
        pytest.param(
            {
                "arrays": ArrayRecord(
                    {
                        "w": Array("float32", (3, 2), "own", b"zip"),
                        "mask": Array("", (), "numpy.ndarray", b"x"),
                    }
                )
            },
            id="bytes-of-their-own",
        ),
    ],
)
def test_what_an_app_may_return_passes(sent, returned):
    assert reason(sent(), returned) is None


def test_serialised_trees_may_grow(sent):
    message = sent({"0": np.zeros(3, np.uint8)})
    assert reason(message, {"arrays": record({"0": np.zeros(900, np.uint8)})}) is None


def test_what_was_empty_may_take_any_shape(sent):
    message = sent({"w": np.zeros(0, np.float32)})
    assert reason(message, {"arrays": record({"w": np.zeros((4, 4), np.float32)})}) is None


def test_evaluation_may_return_arrays_of_any_kind(sent):
    assert reason(sent(kind="evaluate"), changed(w=np.full((1,), np.nan, np.float32))) is None


def test_an_error_reply_of_the_apps_own_passes(sent):
    message = sent()
    assert fault_of(message, Message(Error(0, "mine"), reply_to=message)) is None


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        ([np.ones((3, 2)), np.ones(2)], None),
        ([np.ones((3, 2))], None),
        ([np.ones((2, 3)), np.ones(2)], "WrongShape"),
        ([np.full((3, 2), np.nan), np.ones(2)], "NotFinite"),
        ([np.asfortranarray(np.ones((3, 2))), np.ones(2)], None),
    ],
)
def test_parameters_of_the_older_kind_are_looked_at_too(sent, returned, expected):
    def parameters(arrays):
        return Parameters([ndarray_to_bytes(a) for a in arrays], "numpy.ndarray")

    message = sent({})
    given = parameters_to_arrayrecord(parameters([np.zeros((3, 2)), np.zeros(2)]), keep_input=True)
    message.content["fitins.parameters"] = given
    reply = FitRes(Status(Code.OK, ""), parameters(returned), 1, {})
    content = fitres_to_recorddict(reply, keep_input=True)
    fault = fault_of(message, Message(content, reply_to=message))
    assert (fault and fault.reason) == expected
