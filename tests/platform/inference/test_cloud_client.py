"""The device's question to the cloud: answered in time, or given up with a reason, in time."""

import json
import ssl
import time

import anyio
import httpx
import pytest

from edgestill.errors import InputError
from edgestill.inference.answer import Answer
from edgestill.inference.client import CircuitBreaker, CloudClient, CloudError

ANSWER = {
    "answer": Answer(by="cloud", label=3, confidence=0.9).plain(),
    "queue_s": 0.001,
    "compute_s": 0.002,
}


def client(handler, **options):
    return CloudClient("http://cloud", transport=httpx.MockTransport(handler), **options)


def within(seconds):
    return time.monotonic() + seconds


def test_an_answer_says_who_gave_it_and_what_was_sent():
    asked = client(lambda request: httpx.Response(200, json=ANSWER)).ask(b"12345", within(1))
    assert (asked.answer.by, asked.answer.label) == ("cloud", 3)
    assert (asked.bytes_sent, asked.tries) == (5, 1)
    assert asked.cloud_s == pytest.approx(0.003)


def test_the_token_is_shown_in_the_header_and_nowhere_else():
    seen = []

    def handler(request):
        seen.append(request)
        return httpx.Response(200, json=ANSWER)

    client(handler, token="s3cret").ask(b"1", within(1))  # noqa: S106 - a test's
    assert seen[0].headers["authorization"] == "Bearer s3cret"
    assert "s3cret" not in str(seen[0].url)


def test_a_passing_fault_is_tried_again_and_its_bytes_counted():
    statuses = iter([503, 503, 200])
    asked = client(lambda request: httpx.Response(next(statuses), json=ANSWER)).ask(
        b"123", within(2)
    )
    assert (asked.tries, asked.bytes_sent) == (3, 9)


def test_a_refusal_is_not_tried_again():
    calls = []

    def handler(request):
        calls.append(request)
        return httpx.Response(409, json={"reason": "model"})

    with pytest.raises(CloudError) as caught:
        client(handler).ask(b"1", within(1))
    assert caught.value.reason == "refused"
    assert len(calls) == 1


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"answer": 1}', json.dumps({"answer": {"by": "x"}}).encode()]
)
def test_what_is_no_answer_is_malformed(body):
    with pytest.raises(CloudError) as caught:
        client(lambda request: httpx.Response(200, content=body)).ask(b"1", within(1))
    assert caught.value.reason == "malformed"


def test_without_time_nothing_is_sent():
    def handler(request):
        raise AssertionError("sent")

    with pytest.raises(CloudError) as caught:
        client(handler).ask(b"1", within(-1))
    assert caught.value.reason == "deadline"


def test_a_cloud_that_is_gone_is_left_alone_after_three_failures():
    calls = []

    def handler(request):
        calls.append(request)
        raise httpx.ConnectError("gone")

    asking = client(handler, most_tries=1)
    for _ in range(3):
        with pytest.raises(CloudError, match="gone"):
            asking.ask(b"1", within(1))
    with pytest.raises(CloudError) as caught:
        asking.ask(b"1", within(1))
    assert caught.value.reason == "resting"
    assert len(calls) == 3


def test_a_breaker_lets_one_trial_through_after_its_rest_and_rests_longer_each_time():
    breaker = CircuitBreaker(failures_to_open=1, rest_s=1.0, longest_rest_s=3.0)
    breaker.failed(now_s=0.0)
    assert not breaker.allows(0.9)
    assert breaker.allows(1.0)
    assert not breaker.allows(1.0)
    breaker.failed(now_s=1.0)
    assert not breaker.allows(2.9)
    assert breaker.allows(3.0)
    breaker.failed(now_s=3.0)
    assert not breaker.allows(5.9)
    assert breaker.allows(6.0)
    breaker.succeeded()
    assert breaker.allows(6.0)
    assert breaker.allows(6.0)


def test_what_was_sent_before_the_rest_does_not_lengthen_it():
    breaker = CircuitBreaker(failures_to_open=2, rest_s=1.0)
    for _ in range(8):  # all under way at once
        breaker.failed(now_s=0.0)
    assert breaker.rests(0.9)
    assert breaker.allows(1.0)


def test_a_question_counts_once_for_the_breaker_however_many_tries_it_took():
    statuses = iter([503] * 6 + [200])
    asking = client(lambda request: httpx.Response(next(statuses), json=ANSWER))
    for _ in range(2):
        with pytest.raises(CloudError, match="503"):
            asking.ask(b"1", within(5))
    assert asking.ask(b"1", within(5)).tries == 1


def test_a_certificate_that_is_not_trusted_is_not_tried_again():
    calls = []

    def handler(request):
        calls.append(request)
        error = ssl.SSLCertVerificationError("x")
        error.verify_message = "certificate has expired"
        raise httpx.ConnectError("no") from error

    with pytest.raises(CloudError, match="certificate has expired") as caught:
        client(handler).ask(b"1", within(1))
    assert (caught.value.reason, len(calls)) == ("untrusted", 1)


@pytest.mark.parametrize("url", ["cloud:8080", "ftp://cloud", "", "http://"])
def test_an_address_that_is_none_is_one_line(url):
    with pytest.raises(InputError) as caught:
        CloudClient(url)
    assert "\n" not in str(caught.value)


def test_a_cloud_that_drips_is_given_up_at_the_deadline():
    async def drips():
        for _ in range(1000):
            await anyio.sleep(0.02)
            yield b" "

    started = time.monotonic()
    with pytest.raises(CloudError) as caught:
        client(lambda request: httpx.Response(200, content=drips())).ask(b"1", within(0.2))
    assert caught.value.reason == "deadline"
    assert time.monotonic() - started < 2.0


def test_an_endless_answer_is_cut():
    async def endless():
        while True:
            yield bytes(1 << 16)

    with pytest.raises(CloudError) as caught:
        client(lambda request: httpx.Response(200, content=endless())).ask(b"1", within(5))
    assert caught.value.reason == "unreachable"
