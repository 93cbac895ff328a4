"""One call on a device: its own answer where that is enough or all there is, else the cloud's."""

import time

import anyio
import httpx
import numpy as np
import pytest

from edgestill.allocation import Level
from edgestill.errors import InputError
from edgestill.inference import gates
from edgestill.inference.answer import Answer
from edgestill.inference.client import CloudClient, EdgeClient, Glance, LinkEstimate
from edgestill.inference.tiers import Limits
from edgestill.inference.wire import DEADLINE_HEADER, INPUTS_HEADER

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


def asking(handler, name="cloud"):
    """A client of a service that is this function."""
    if handler is None:
        return None
    return CloudClient(f"http://{name}", transport=httpx.MockTransport(handler))


def client(handler=None, *, fog=None, bandwidth=1e6, **more):
    return EdgeClient(
        Half(),
        hardness=gates.least_confidence,
        threshold=0.2,
        cloud=asking(handler),
        fog=asking(fog, "fog"),
        deadline_s=DEADLINE_S,
        bandwidth_bytes_per_s=bandwidth,
        **more,
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
    known = link.now.answer_s(10)
    for _ in range(20):
        link.late()
    slow = link.now.answer_s(10)
    for _ in range(60):
        link.skipped()
    assert known == pytest.approx(1.0)
    assert slow > 100.0
    assert link.now.answer_s(10) < known


def test_frames_of_different_sizes_tell_the_round_trip_from_the_bandwidth():
    link = LinkEstimate(1e5)
    for size in (100, 2000, 300, 1500, 800, 100, 1800, 500):
        link.saw(size, 0.05 + size / 20_000 + 0.004, 0.004)
    assert link.now.round_trip_s == pytest.approx(0.05, rel=0.1)
    assert link.now.bandwidth_bytes_per_s == pytest.approx(20_000, rel=0.1)
    assert link.now.cloud_s == pytest.approx(0.004)


def test_frames_of_one_size_leave_the_bandwidth_that_was_expected():
    link = LinkEstimate(1e5)
    for _ in range(5):
        link.saw(1000, 0.05, 0.0)
    assert link.now.bandwidth_bytes_per_s == pytest.approx(1e5)
    assert link.now.answer_s(1000) == pytest.approx(0.05)
    for _ in range(20):
        link.saw(1000, 0.002, 0.0)
    # Faster than was expected: then all of the time may have gone by bytes.
    assert link.now.answer_s(1000) == pytest.approx(0.002, rel=0.1)


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
    device = client(handler)
    started = time.monotonic()
    found = device.answer(given(0.6))
    assert (found.answer.by, found.answer.label, found.reason) == ("edge", 0, reason)
    # Far from the minute that the cloud would take; the deadline itself is no test's business.
    assert time.monotonic() - started < 10 * DEADLINE_S


def told(request):
    return {name: request.headers[name] for name in (INPUTS_HEADER, DEADLINE_HEADER)}


def test_a_request_tells_how_many_inputs_were_looked_at_and_what_time_is_left():
    seen = []

    def handler(request):
        seen.append(told(request))
        return httpx.Response(200, json=CLOUD)

    found = client(handler)
    for sure in (0.95, 0.95, 0.6, 0.95, 0.6):
        found.answer(given(sure))
    assert [int(one[INPUTS_HEADER]) for one in seen] == [3, 2]
    assert all(0 < int(one[DEADLINE_HEADER]) <= 1000 * DEADLINE_S for one in seen)


def test_inputs_of_a_request_that_failed_are_told_by_the_next():
    seen = []

    def handler(request):
        seen.append(int(request.headers[INPUTS_HEADER]))
        status = 409 if len(seen) == 1 else 200
        return httpx.Response(status, json=CLOUD)

    found = client(handler)
    for sure in (0.95, 0.6, 0.6):
        found.answer(given(sure))
    assert seen == [2, 3]


def test_requests_that_are_under_way_at_once_tell_of_each_input_once():
    told_of = []

    async def slow(request):
        told_of.append(int(request.headers[INPUTS_HEADER]))
        await anyio.sleep(0.05)
        return httpx.Response(200, json=CLOUD)

    assert len(list(client(slow).answers([given(0.6)] * 20))) == 20
    assert sum(told_of) == 20


def answers_as(by):
    plain = {**CLOUD, "answer": Answer(by=by, label=5, confidence=0.9).plain()}
    return lambda request: httpx.Response(200, json=plain)


def test_the_fog_is_asked_first_and_the_cloud_where_the_fog_is_gone():
    assert client(answering, fog=answers_as("fog")).answer(given(0.6)).answer.by == "fog"
    found = client(answering, fog=_gone).answer(given(0.6))
    assert (found.answer.by, found.reason) == ("cloud", "asked")
    # The frames that went to the fog in vain are counted.
    assert found.bytes_sent > found.rate * 1000


def test_a_loaded_fog_is_passed_over_for_a_cloud_that_answers_sooner():
    loaded = {**CLOUD, "queue_s": 0.3}
    found = client(answering, fog=lambda request: httpx.Response(200, json=loaded))
    order = [found.answer(given(0.6)) for _ in range(2)]
    assert [one.cloud_s > 0.1 for one in order] == [True, False]


def test_where_both_fail_the_devices_own_answer_stands_and_says_why():
    found = client(_gone, fog=lambda request: httpx.Response(409, json={"error": "no"}))
    one = found.answer(given(0.6))
    assert (one.answer.by, one.reason) == ("edge", "unreachable")
    assert "http://cloud" in one.said


def test_a_level_bounds_the_rate_and_the_share_that_is_handed_on():
    low = Limits(level=Level.LOW, top_rate=0, share=0.5)
    found = client(answering, limits=lambda: low)
    reasons = [found.answer(given(0.6)) for _ in range(10)]
    assert {one.rate for one in reasons if one.reason == "asked"} == {0}
    assert sum(one.reason == "asked" for one in reasons) == 5
    assert {one.reason for one in reasons} == {"asked", "budget"}


def test_a_policy_may_ask_for_a_lower_rate_or_for_nothing():
    assert client(answering, policy=lambda answers, rates: rates[0]).answer(given(0.6)).rate == 0
    found = client(answering, policy=lambda answers, rates: None).answer(given(0.6))
    assert (found.answer.by, found.reason, found.bytes_sent) == ("edge", "worth", 0)


def test_a_slow_cloud_does_not_stop_a_stream_and_the_order_is_kept():
    async def slow(request):
        await anyio.sleep(0.1)
        return httpx.Response(200, json=CLOUD)

    found = client(slow)
    sures = [0.6, 0.95, 0.6, 0.6, 0.95, 0.6] * 4
    started = time.monotonic()
    by = [one.answer.by for one in found.answers(map(given, sures))]
    took_s = time.monotonic() - started
    assert by == ["edge" if sure > 0.9 else "cloud" for sure in sures]
    # One after the other they would wait for 1.6 s.
    assert took_s < 1.2


def test_an_input_of_the_wrong_kind_ends_a_stream_after_the_answers_before_it():
    class Strict(Half):
        def look(self, inputs):
            if "visual" not in inputs:
                raise InputError("input: no visual")
            return super().look(inputs)

    found = client(answering)
    found._half = Strict()
    came = []
    with pytest.raises(InputError, match="no visual"):
        came.extend(found.answers([given(0.6), given(0.95), {}, given(0.6)]))
    answers = found.answers([given(0.6), given(0.95), {}])
    assert [next(answers).answer.by for _ in range(2)] == ["cloud", "edge"]


def test_a_stream_goes_on_when_the_cloud_goes_and_when_it_is_back():
    gone = True

    def handler(request):
        if gone:
            raise httpx.ConnectError("gone")
        return httpx.Response(200, json=CLOUD)

    device = client(handler)
    during = [found.answer.by for found in device.answers([given(0.6)] * 50)]
    gone = False
    time.sleep(0.6)
    back = [device.answer(given(0.6)).answer.by for _ in range(3)]
    assert set(during) == {"edge"}
    assert back[-1] == "cloud"
