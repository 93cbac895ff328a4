"""Getting onto Ray, and errors on their way back from actors."""

import importlib
import socket
import sys
import time

import pytest
import ray

from edgestill.actors import Telemetry, check_address, cluster, start_actor
from edgestill.config import EngineConfig, TelemetryConfig
from edgestill.errors import DataError, EdgestillError, InputError, RunError
from edgestill.telemetry import MetricStore

cluster_module = importlib.import_module("edgestill.actors.cluster")
crew_module = importlib.import_module("edgestill.actors.crew")
pool_module = importlib.import_module("edgestill.actors.pool")


@pytest.fixture
def listener():
    """A port where something listens that never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    "address", ["", "foo", "foo:", ":6379", "10.0.0.5:ray", "ray://10.0.0.5:10001"]
)
def test_an_address_must_be_host_and_port(address):
    with pytest.raises(InputError, match=r"expected HOST:PORT, such as"):
        check_address(address)


def test_a_closed_port_is_refused_at_once(listener):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    started = time.monotonic()
    with pytest.raises(InputError, match=rf"--address 127.0.0.1:{port}: no Ray head answers"):
        check_address(f"127.0.0.1:{port}")
    assert time.monotonic() - started < 10.0


def test_what_listens_and_is_not_ray_is_refused_within_ten_seconds(listener):
    started = time.monotonic()
    with pytest.raises(InputError, match=r"no Ray head answers there \(deadline_exceeded\)"):
        check_address(f"127.0.0.1:{listener}")
    assert time.monotonic() - started < 10.0


def test_a_ray_head_is_accepted(ray_here):
    check_address(ray.get_runtime_context().gcs_address)


@pytest.fixture
def connected(ray_here, monkeypatch):
    """Let ``cluster`` use the Ray that is there, and leave it there."""
    monkeypatch.setattr(cluster_module, "_connect", lambda *given: None)
    monkeypatch.setattr(cluster_module.ray, "shutdown", lambda: None)


class Raiser:
    def raise_it(self, error: Exception) -> None:
        raise error


class Relay:
    def __init__(self, handles: list) -> None:
        (self._below,) = handles

    def raise_it(self, error: Exception) -> None:
        ray.get(self._below.raise_it.remote(error))


@pytest.fixture(scope="module")
def relay(ray_here):
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    return start_actor(Relay, [start_actor(Raiser, cpus=0)], cpus=0)


def test_an_error_of_ours_comes_out_of_actors_as_it_was_raised(connected, relay):
    with pytest.raises(EdgestillError) as caught, cluster(None, cpus=1):
        ray.get(relay.raise_it.remote(DataError("labels.npy: one line")))
    assert type(caught.value) is DataError
    assert str(caught.value) == "labels.npy: one line"


def test_any_other_error_keeps_its_traceback(connected, relay):
    with (
        pytest.raises(ray.exceptions.RayTaskError, match="ValueError: a bug"),
        cluster(None, cpus=1),
    ):
        ray.get(relay.raise_it.remote(ValueError("a bug")))


def test_an_actor_that_is_gone_for_good_fails_the_run_in_one_line(connected):
    gone = start_actor(Raiser, cpus=0, restarts=0)
    ray.kill(gone)
    with pytest.raises(RunError) as caught, cluster(None, cpus=1):
        ray.get(gone.raise_it.remote(ValueError()))
    assert str(caught.value).startswith("ActorDiedError: ")
    assert "\n" not in str(caught.value)


def test_a_port_in_use_is_one_line_of_the_exporters_actor(connected, listener):
    telemetry = start_actor(Telemetry, TelemetryConfig(port=listener), cpus=0)
    with pytest.raises(InputError) as caught, cluster(None, cpus=1):
        ray.get(telemetry.start.remote())
    expected = f"telemetry.port: {listener} on 127.0.0.1 is in use"
    assert str(caught.value).startswith(expected)
    assert "\n" not in str(caught.value)


def test_too_few_cpus_are_said(ray_here, monkeypatch):
    monkeypatch.setattr(crew_module, "START_TIMEOUT_S", 1.0)
    monkeypatch.setattr(
        crew_module,
        "start_actor",
        lambda kind, *given, cpus, **rest: start_actor(kind, *given, cpus=1000, **rest),
    )
    with pytest.raises(RunError, match=r"1 of 1 actors did not start in 1 s; engine.cohorts asks"):
        pool_module.Pool(None, EngineConfig(cohorts=1), MetricStore(), run_id=1, fingerprint=0)
