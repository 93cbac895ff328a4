"""Replicas on Ray: one port, the dead replaced, more under load, drained before they go."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import numpy as np
import pytest

from edgestill.actors.serving import Endpoint, Replicas
from edgestill.allocation import PoolBounds
from edgestill.codec import decode_arrays, encode_arrays
from edgestill.inference import gates
from edgestill.inference.answer import Answer
from edgestill.inference.client import CloudClient, EdgeClient, Glance
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


class Unsure:
    """A device's model that hands everything on; its own label is -1."""

    bytes_by_rate = (40,)

    def look(self, inputs):
        answers = gates.Answers(probabilities_NK=np.array([[0.5, 0.5]]))
        own = Answer(by="edge", label=-1, confidence=0.5)
        return Glance(answer=own, answers=answers, features=int(inputs["x"][0]))

    def encode(self, features, rate):
        return frame(features)


def pids(made):
    return {bound.pid for bound in made.bound}


def frame(value):
    return encode_arrays({"x": np.array([value], np.int32)}, bits=32, fingerprint=FINGERPRINT)


@contextmanager
def asking(url):
    """Give a function that asks as a device does: with retries, until a deadline."""
    client = CloudClient(url, most_tries=8)
    try:
        yield lambda value: client.ask(frame(value), time.monotonic() + 20).answer.label
    finally:
        client.close()


def ask(url, value):
    with asking(url) as one:
        return one(value)


def look_until(made, holds):
    """Look as the service does, but more often, until something holds."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        made.look()
        time.sleep(0.1)


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


def test_a_replica_killed_under_load_is_replaced_and_no_device_lacks_an_answer(replicas):
    made, url = replicas(loader(pause_s=0.01), least=2, most=2)
    cloud = CloudClient(url)
    device = EdgeClient(
        Unsure(),
        hardness=gates.least_confidence,
        threshold=0.0,
        cloud=cloud,
        deadline_s=2.0,
        bandwidth_bytes_per_s=1e6,
    )
    first = made.bound[0].pid
    over = threading.Event()
    found = []

    def stream():
        while not over.is_set():
            found.append(device.answer({"x": np.array([3])}))

    with ThreadPoolExecutor(1) as pool:
        streaming = pool.submit(stream)
        time.sleep(0.3)
        os.kill(first, signal.SIGKILL)
        killed_at = len(found)
        look_until(made, lambda: len(made.bound) == 2 and first not in pids(made))
        over.set()
        streaming.result()
    cloud.close()
    assert {one.answer.label for one in found} <= {3, -1}
    assert {one.answer.by for one in found[killed_at + 5 :]} & {"cloud"}
    assert {bound.port for bound in made.bound} == {int(url.rpartition(":")[2])}


def test_load_adds_a_replica_and_rest_drains_it_and_no_request_is_lost(replicas):
    made, url = replicas(loader(pause_s=0.02), least=1, most=2, cool_down_s=0.5)
    with asking(url) as one, ThreadPoolExecutor(24) as pool:
        asked = [pool.submit(one, n) for n in range(200)]
        look_until(made, lambda: len(made.bound) == 2)
        assert [future.result() for future in asked] == list(range(200))
        # Drained while clients with open connections go on asking.
        trickle = [pool.submit(one, n) for n in range(30)]
        look_until(made, lambda: len(made.bound) == 1)
        trickle += [pool.submit(one, n) for n in range(30)]
        assert [future.result() for future in trickle] == [*range(30), *range(30)]


def test_a_reload_under_load_reaches_every_replica_and_drops_nothing(replicas):
    made, url = replicas(loader(pause_s=0.005), least=2, most=2)
    with asking(url) as one, ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(one, 1) for _ in range(100)]
        assert asked[0].result() == 1
        made.reload(loader(offset=100))
        asked += [pool.submit(one, 1) for _ in range(50)]
        assert {future.result() for future in asked} == {1, 101}
        assert {one(1) for _ in range(20)} == {101}


def test_a_replica_that_started_with_an_old_model_is_given_the_new_one(replicas):
    made, url = replicas(loader())
    os.kill(made.bound[0].pid, signal.SIGKILL)
    look_until(made, lambda: not made.bound)
    made.reload(loader(offset=100))
    look_until(made, lambda: made.bound)
    made.look()
    assert ask(url, 1) == 101


def test_an_address_that_cannot_be_bound_is_one_line(ray_here):
    endpoint = Endpoint(host="203.0.113.1", port=0, settings=ServiceSettings())
    with pytest.raises(Exception, match="--port 0: not to be had"):
        Replicas(loader(), endpoint, PoolBounds(least=1, most=1, cool_down_s=0.0)).start()
