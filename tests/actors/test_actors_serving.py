"""Replicas on Ray: one port, the dead replaced, more under load, drained before they go."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest

from edgestill.actors.serving import Endpoint, Replicas
from edgestill.allocation import PoolBounds
from edgestill.codec import decode_arrays, encode_arrays
from edgestill.inference.answer import Answer
from edgestill.inference.service import ServiceSettings

FINGERPRINT = 5


def loader(offset=0, pause_s=0.0):
    """Return what builds a model whose label is its input and an offset, in another process."""

    class Echo:
        fingerprint = FINGERPRINT

        def describe(self):
            return {"pid": os.getpid()}

        def read(self, frame):
            return int(decode_arrays(frame, fingerprint=FINGERPRINT)["x"][0])

        def answer(self, contents):
            time.sleep(pause_s)
            return [Answer(by="cloud", label=x + offset, confidence=1.0) for x in contents]

    return Echo


def ask(url, value):
    frame = encode_arrays({"x": np.array([value], np.int32)}, bits=32, fingerprint=FINGERPRINT)
    for _ in range(20):
        try:
            answer = httpx.post(f"{url}/v1/answers", content=frame, trust_env=False, timeout=10)
        except httpx.HTTPError:
            time.sleep(0.1)  # as a device's client does
            continue
        if answer.status_code == 200:
            return answer.json()["answer"]["label"]
        time.sleep(0.1)
    raise AssertionError("never answered")


@pytest.fixture
def replicas(ray_here):
    """Give a function that starts replicas on a free port, and close them at the end."""
    started = []

    def start(load, *, least=1, most=1, cool_down_s=0.0):
        endpoint = Endpoint(host="127.0.0.1", port=0, settings=ServiceSettings(most_in_batch=1))
        bounds = PoolBounds(least=least, most=most, cool_down_s=cool_down_s)
        made = Replicas(load, endpoint, bounds)
        started.append(made)
        return made, f"http://127.0.0.1:{made.start()[0].port}"

    yield start
    for made in started:
        made.close()


def test_replicas_share_a_port_and_each_shows_its_own_metrics(replicas):
    made, url = replicas(loader(), least=2, most=2)
    assert len({bound.port for bound in made.bound}) == 1
    assert len({bound.pid for bound in made.bound}) == 2
    assert [ask(url, n) for n in range(20)] == list(range(20))
    own = [f"http://127.0.0.1:{bound.own_port}/metrics" for bound in made.bound]
    counted = [
        float(line.rpartition(" ")[2])
        for address in own
        for line in httpx.get(address, trust_env=False).text.splitlines()
        if line.startswith('edgestill_serving_requests_total{status="200"}')
    ]
    assert sum(counted) == 20


def test_a_killed_replica_is_replaced_on_the_same_port(replicas):
    made, url = replicas(loader())
    (first,) = made.bound
    os.kill(first.pid, signal.SIGKILL)
    time.sleep(0.5)
    made.look()
    (second,) = made.bound
    assert second.pid != first.pid
    assert second.port == first.port
    assert ask(url, 7) == 7


def test_load_adds_a_replica_and_rest_removes_it_and_no_request_is_lost(replicas):
    made, url = replicas(loader(pause_s=0.05), least=1, most=2)
    with ThreadPoolExecutor(24) as pool:
        asked = [pool.submit(ask, url, n) for n in range(72)]
        time.sleep(0.4)
        made.look()
        grown = len(made.bound)
        answers = [future.result() for future in asked]
    made.look()
    assert (grown, len(made.bound)) == (2, 1)
    assert answers == list(range(72))


def test_a_reload_reaches_every_replica(replicas):
    made, url = replicas(loader(), least=2, most=2)
    made.reload(loader(offset=100))
    assert {ask(url, 1) for _ in range(20)} == {101}


def test_an_address_that_cannot_be_bound_is_one_line(ray_here):
    endpoint = Endpoint(host="203.0.113.1", port=0, settings=ServiceSettings())
    with pytest.raises(Exception, match="--port 0: not to be had"):
        Replicas(loader(), endpoint, PoolBounds(least=1, most=1, cool_down_s=0.0)).start()
