"""The parts of ``edgestill bench serving``: its load, its slow links, its chaos, its children."""

import asyncio
import socket
import sys
import threading
import time
from contextlib import ExitStack, contextmanager

import numpy as np
import psutil
import pytest

from edgestill.codec import decode_arrays, encode_arrays
from edgestill.codec.arrays import CODEC_ARRAYS
from edgestill.codec.frame import unseal
from edgestill.errors import FrameError
from edgestill.inference import gates
from edgestill.inference.answer import Answer
from edgestill.inference.client import Glance
from edgestill.inference.joint import Edge
from edgestill.inference.service import ServiceServer, ServiceSettings
from edgestill.jobs.benchmarks.serving.bad_frames import KINDS, bad_requests
from edgestill.jobs.benchmarks.serving.child import Child, ChildError
from edgestill.jobs.benchmarks.serving.devices import Order, ask_all
from edgestill.jobs.benchmarks.serving.generator import obey
from edgestill.jobs.benchmarks.serving.slow_link import SlowLink
from edgestill.jobs.benchmarks.serving.traffic import (
    LOST,
    closed_loop,
    each_once,
    open_loop,
    post,
)

FINGERPRINT = 7


class Sums:
    """A served model whose label is the sum of what it is sent."""

    fingerprint = FINGERPRINT

    def describe(self):
        return {}

    def read(self, frame):
        arrays = decode_arrays(frame, fingerprint=FINGERPRINT, max_bytes=1 << 16)
        if arrays.keys() != {"x"} or arrays["x"].dtype != np.int32:
            raise FrameError("frame: expected one array x of int32")
        return int(arrays["x"].sum())

    def answer(self, contents):
        return [Answer(by="cloud", label=value, confidence=0.5) for value in contents]


def frame(value):
    return encode_arrays({"x": np.full(9, value, np.int32)}, bits=32, fingerprint=FINGERPRINT)


@pytest.fixture(scope="module")
def service():
    server = ServiceServer(Sums(), ServiceSettings(), host="127.0.0.1", port=0)
    yield server
    server.stop()


@contextmanager
def listening(reply, *, hang_up=False):
    """Answer every connection's bytes with ``reply``, in a thread; give the port and what came."""
    heard = []

    def serve(connection):
        with connection:
            while data := connection.recv(1 << 16):
                heard.append(data)
                if hang_up:
                    return
                connection.sendall(reply)

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1], heard
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


# The load


def test_a_closed_loop_counts_every_answer_and_keeps_its_connections(service):
    requests = [post("/v1/answers", frame(n)) for n in range(3)]
    traffic = asyncio.run(closed_loop(service.port, requests, connections=4, seconds=0.3))
    assert set(traffic.statuses) == {200}
    assert len(traffic.latencies_s) == traffic.statuses[200] > 4
    assert traffic.wall_s >= 0.3


def test_an_open_loop_has_the_same_arrivals_under_the_same_seed(service):
    requests = [post("/v1/answers", frame(1))]

    def asked(seed):
        return asyncio.run(
            open_loop(service.port, requests, per_s=200.0, seconds=0.3, seed=seed)
        ).statuses

    assert asked(1) == asked(1)
    assert 20 < asked(1)[200] < 120


def test_answers_that_are_no_200_are_counted_and_have_no_latency():
    with listening(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n") as (port, _):
        traffic = asyncio.run(closed_loop(port, [post("/", b"x")], connections=1, seconds=0.1))
    assert set(traffic.statuses) == {503}
    assert traffic.latencies_s == []


@pytest.mark.parametrize("reply", [OK, b"HTTP/1.1 200 OK\r\n\r\n2\r\nok\r\n0\r\n\r\n"])
def test_a_whole_reply_is_known_by_its_length_or_its_last_chunk(reply):
    heard = []
    with listening(reply) as (port, _):
        asyncio.run(
            each_once(
                port, [post("/", b"x")] * 3, connections=2, note=lambda *one: heard.append(one)
            )
        )
    assert sorted(place for place, _ in heard) == [0, 1, 2]
    assert all(b"ok" in reply.body for _, reply in heard)


def test_a_connection_that_ends_without_an_answer_is_a_lost_request():
    heard = []
    with listening(OK, hang_up=True) as (port, _):
        asyncio.run(
            each_once(
                port, [post("/", b"x")] * 2, connections=1, note=lambda *one: heard.append(one)
            )
        )
    assert [reply.status for _, reply in heard] == [LOST, LOST]


# Slow links


def through(port, data):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(data)
        return connection.recv(100)


def test_a_slow_link_passes_everything_on_and_takes_its_time():
    data, began = bytes(range(256)) * 16, time.monotonic()
    with listening(b"") as (port, heard), SlowLink(port, 20e3) as link:
        with socket.create_connection(("127.0.0.1", link.port)) as connection:
            connection.sendall(data)
            while sum(map(len, heard)) < len(data):
                time.sleep(0.005)
        assert time.monotonic() - began >= 0.9 * len(data) / 20e3
        assert b"".join(heard) == data
        assert link.passed_bytes == len(data)


def test_connections_share_a_slow_link():
    began = time.monotonic()
    with listening(b"ok") as (port, heard), SlowLink(port, 20e3) as link, ExitStack() as stack:
        for _ in range(2):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", link.port)))
            connection.sendall(bytes(2000))
        while sum(map(len, heard)) < 4000:
            time.sleep(0.005)
        assert time.monotonic() - began >= 0.9 * 4000 / 20e3


def test_a_slow_link_to_nobody_hangs_up():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with SlowLink(port, 1e6) as link:
        assert through(link.port, b"") == b""


# Chaos


def test_bad_frames_come_in_every_kind_and_are_the_same_under_the_same_seed():
    made = [
        list(bad_requests([frame(3)], count=600, path="/", most_bytes=1000, seed=seed))
        for seed in (1, 1, 2)
    ]
    assert {kind for kind, _ in made[0]} == set(KINDS)
    assert made[0] == made[1] != made[2]
    assert all(frame(3) != one.partition(b"\r\n\r\n")[2] for _, one in made[0])


def test_frames_that_are_whole_but_wrong_get_past_the_checksum():
    made = bad_requests([frame(3)], count=300, path="/", most_bytes=1000, seed=1)
    wrong = [one.partition(b"\r\n\r\n")[2] for kind, one in made if kind == "whole_but_wrong"]
    opened = 0
    for one in wrong:
        if one[5] == CODEC_ARRAYS:
            unseal(one, codec=CODEC_ARRAYS, fingerprint=FINGERPRINT, max_bytes=1 << 16)
            opened += 1
    assert opened > 10


def test_the_service_survives_chaos_and_another_client_notices_nothing(service):
    frames = [[frame(n) for n in range(20)], [frame(9)]]
    order = {"load": "bad", "port": service.port, "count": 400, "seed": 3}
    found = asyncio.run(obey(order, frames))
    statuses = {status for one in found["statuses"].values() for status in one}
    assert sum(sum(one.values()) for one in found["statuses"].values()) == 400
    assert statuses <= {200, 400, 409, 413}
    assert set(found["statuses"]["too_large"]) == {413}
    assert found["asked"] > 0
    assert found["disturbed"] == 0


def test_a_neighbour_with_other_answers_counts_as_disturbed(service, monkeypatch):
    frames = [[frame(n) for n in range(20)], [frame(9)]]
    asked = iter(range(1000))
    monkeypatch.setattr(
        Sums,
        "answer",
        lambda self, all_: [Answer(by="cloud", label=next(asked), confidence=0.5) for _ in all_],
    )
    order = {"load": "bad", "port": service.port, "count": 50, "seed": 3}
    found = asyncio.run(obey(order, frames))
    assert found["disturbed"] == found["asked"] > 0


# Devices


class Half:
    bytes_by_rate = (100, 1000)

    def look(self, inputs):
        answers = gates.Answers(probabilities_NK=np.array([[0.6, 0.4]]))
        return Glance(
            answer=Answer(by="edge", label=0, confidence=0.6), answers=answers, features=inputs
        )

    def encode(self, features, rate):
        return frame(int(features["x"][0]))


EDGE = Edge(half=Half(), hardness=gates.least_confidence, threshold=0.0, description={})
INPUTS = [{"x": np.array([n], np.int32)} for n in range(8)]


def order(port, **changed):
    given = {"inputs": 6, "devices": 2, "deadline_s": 2.0, "bandwidth_bytes_per_s": 1e6}
    return Order(**{"port": port, **given, **changed})


def test_devices_ask_about_every_input(service):
    asked = ask_all(EDGE, INPUTS, order(service.port))
    assert len(asked) == 12
    assert {(one.by, one.reason) for one in asked} == {("cloud", "asked")}


def test_devices_without_a_cloud_lose_no_answer():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    asked = ask_all(EDGE, INPUTS, order(port))
    assert len(asked) == 12
    assert {one.by for one in asked} == {"edge"}


# Children

ECHO = """
import subprocess, sys
from edgestill.jobs.benchmarks.serving.child import say
import json
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("chatter")
for line in sys.stdin:
    order = json.loads(line)
    if order == "fail":
        raise SystemExit("it broke")
    say({"heard": order, "grandchild": grandchild.pid})
"""


@pytest.fixture
def echo(tmp_path, monkeypatch):
    (tmp_path / "echo_child.py").write_text(ECHO)
    path = ":".join([str(tmp_path), *(entry for entry in sys.path if entry)])
    child = Child("echo", "echo_child", folder=tmp_path, environment={"PYTHONPATH": path})
    yield child
    child.close()


def runs(pid):
    """Whether a process still does something; one that nobody has waited for yet does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_child_obeys_and_ends_with_all_that_it_started(echo):
    said = echo.ask({"n": 1}, 30.0)
    assert said["heard"] == {"n": 1}
    echo.close()
    assert not runs(echo.pid)
    assert not runs(said["grandchild"])


def test_a_child_that_ends_early_is_told_by_its_last_words(echo):
    with pytest.raises(ChildError, match=r"echo: .*it broke"):
        echo.ask("fail", 30.0)


def test_a_silent_child_is_an_error(echo):
    with pytest.raises(ChildError, match="silent"):
        echo.hear(0.01)
