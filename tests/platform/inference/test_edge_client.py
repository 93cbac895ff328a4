"""One call on a device: its own answer where that is enough or all there is, else the cloud's."""

import time

import anyio
import httpx
import numpy as np
import pytest

from edgestill.inference import gates
from edgestill.inference.answer import Answer
from edgestill.inference.client import CloudClient, EdgeClient, Glance, LinkEstimate

DEADLINE_S = 0.4
CLOUD = {
    "answer": Answer(by="cloud", label=7, confidence=0.99).plain(),
    "queue_s": 0.0,
    "compute_s": 0.001,
}


class Half:
    """A device's model that is as sure as its input says, with frames of 100 and 1,000 bytes."""

    bytes_by_rate = (100, 1000)

    def look(self, inputs):
        sure = float(inputs["visual"][0])
        answers = gates.Answers(probabilities_NK=np.array([[sure, 1.0 - sure]]))
        return Glance(
            answer=Answer(by="edge", label=0, confidence=sure), answers=answers, features=sure
        )

    def encode(self, features, rate):
        return bytes(self.bytes_by_rate[rate])


def client(handler=None, *, bandwidth=1e6):
    transport = None if handler is None else httpx.MockTransport(handler)
    cloud = None if handler is None else CloudClient("http://cloud", transport=transport)
    return EdgeClient(
        Half(),
        hardness=gates.least_confidence,
        threshold=0.2,
        cloud=cloud,
        deadline_s=DEADLINE_S,
        bandwidth_bytes_per_s=bandwidth,
    )


def given(sure):
    return {"visual": np.array([sure], np.float32)}


def answering(request):
    return httpx.Response(200, json=CLOUD)


def test_a_sure_device_sends_nothing():
    found = client(answering).answer(given(0.95))
    assert (found.answer.by, found.reason, found.bytes_sent) == ("edge", "confident", 0)


def test_a_hard_input_is_answered_by_the_cloud_at_the_largest_rate():
    found = client(answering).answer(given(0.6))
    assert (found.answer.by, found.answer.label, found.reason) == ("cloud", 7, "asked")
    assert (found.rate, found.bytes_sent) == (1, 1000)


def test_a_slow_link_gets_a_smaller_rate_and_a_dead_one_nothing():
    assert client(answering, bandwidth=1000.0).answer(given(0.6)).rate == 0
    found = client(answering, bandwidth=10.0).answer(given(0.6))
    assert (found.answer.by, found.reason, found.bytes_sent) == ("edge", "link", 0)


def test_after_a_while_a_link_that_was_too_slow_is_tried_again():
    link = LinkEstimate(1000.0)
    link.saw(10, 1.0, 0.0)
    for _ in range(20):
        link.late()
    slow = link.bandwidth_bytes_per_s
    for _ in range(60):
        link.skipped()
    assert slow < 1.0
    assert link.bandwidth_bytes_per_s == pytest.approx(1000.0)


def test_without_a_cloud_the_device_answers_alone():
    found = client().answer(given(0.6))
    assert (found.answer.by, found.reason) == ("edge", "alone")


async def _never(request):
    await anyio.sleep(60)


def _gone(request):
    raise httpx.ConnectError("gone")


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (_never, "deadline"),
        (_gone, "unreachable"),
        (lambda request: httpx.Response(409, json={}), "refused"),
        (lambda request: httpx.Response(200, content=b"nonsense"), "malformed"),
    ],
)
def test_a_cloud_that_is_slow_gone_or_wrong_leaves_the_devices_own_answer_in_time(handler, reason):
    asking = client(handler)
    started = time.monotonic()
    found = asking.answer(given(0.6))
    assert (found.answer.by, found.answer.label, found.reason) == ("edge", 0, reason)
    # Far from the minute that the cloud would take; the deadline itself is no test's business.
    assert time.monotonic() - started < 10 * DEADLINE_S


def test_a_stream_goes_on_when_the_cloud_goes_and_when_it_is_back():
    gone = True

    def handler(request):
        if gone:
            raise httpx.ConnectError("gone")
        return httpx.Response(200, json=CLOUD)

    asking = client(handler)
    during = [found.answer.by for found in asking.answers([given(0.6)] * 50)]
    gone = False
    time.sleep(0.6)
    back = [asking.answer(given(0.6)).answer.by for _ in range(3)]
    assert set(during) == {"edge"}
    assert back[-1] == "cloud"
