"""The exporter's actor: the cluster's own figures, fresh while everybody else is busy."""

import importlib
import os
import sys
import time
import urllib.request
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import ray
from prometheus_client.parser import text_string_to_metric_families

from edgestill.actors import ClusterWatch, Telemetry, start_actor
from edgestill.actors.nodes import NodeProbe, NodeWatch, alive_nodes, node_names
from edgestill.config import TelemetryConfig
from edgestill.telemetry import MetricStore

nodes_module = importlib.import_module("edgestill.actors.nodes")

NODE_METRICS = (
    "edgestill_node_cpu_ratio",
    "edgestill_node_memory_bytes",
    "edgestill_node_free_memory_bytes",
    "edgestill_node_object_store_bytes",
    "edgestill_node_object_store_used_bytes",
)


def scrape(port: int) -> dict[tuple[str, str], float]:
    """Return values by name and by the one label's value."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as reply:
        text = reply.read().decode()
    return {
        (s.name, next(iter(s.labels.values()), "")): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


def until(port: int, key: tuple[str, str]) -> dict[tuple[str, str], float]:
    end = time.monotonic() + 20.0
    while key not in (found := scrape(port)):
        assert time.monotonic() < end, f"{key} never came"
        time.sleep(0.1)
    return found


@pytest.fixture
def telemetry(ray_here):
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    actor = start_actor(Telemetry, TelemetryConfig(max_device_series=5000), cpus=0)
    yield actor
    ray.kill(actor)


class Busy:
    """Whatever trains: it holds its process for as long as it is asked to."""

    def burn(self, seconds: float) -> float:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            sum(range(1000))
        return time.monotonic()


def test_two_scrapes_give_data_while_training_and_this_process_wait_for_nothing(telemetry):
    port = ray.get(telemetry.start.remote())
    store = MetricStore(max_device_series=5000)
    for name in ("cpu_ratio", "battery_ratio", "temperature_celsius", "free_memory_bytes"):
        store.set_devices(f"edgestill_device_{name}", np.arange(5000), np.linspace(0, 1, 5000))
    store.set("edgestill_round", 3)
    workers = [start_actor(Busy, cpus=1) for _ in range(2)]
    burning = [worker.burn.remote(6.0) for worker in workers]
    ray.get([worker.burn.remote(0.0) for worker in [start_actor(Busy, cpus=1)]])
    telemetry.update.remote(store.snapshot())
    first = until(port, ("edgestill_round", ""))
    store.set("edgestill_round", 4)
    telemetry.update.remote(store.snapshot())
    end = time.monotonic() + 20.0
    while (second := scrape(port))[("edgestill_round", "")] != 4:
        assert time.monotonic() < end
    # Both came before the workers were done.
    assert not ray.wait(burning, num_returns=1, timeout=0)[0]
    assert first["edgestill_device_cpu_ratio", "4999"] == 1.0
    assert sum(name == "edgestill_device_cpu_ratio" for name, _ in second) == 5000
    for worker in workers:
        ray.kill(worker)


def test_the_nodes_figures_come_without_the_coordinator(telemetry):
    port = ray.get(telemetry.start.remote())
    (address,) = node_names(alive_nodes()).values()
    held = ray.put(np.zeros(2_000_000))
    found = until(port, ("edgestill_node_cpu_ratio", address))
    assert 0.0 <= found["edgestill_node_cpu_ratio", address] <= 1.0
    assert found["edgestill_node_memory_bytes", address] == psutil.virtual_memory().total
    free = found["edgestill_node_free_memory_bytes", address]
    assert 0 < free < psutil.virtual_memory().total
    capacity = found["edgestill_node_object_store_bytes", address]
    end = time.monotonic() + 20.0
    while not 16e6 <= scrape(port)["edgestill_node_object_store_used_bytes", address] < capacity:
        assert time.monotonic() < end
        time.sleep(0.1)
    del held


def test_queues_and_load_come_and_go_past_the_coordinator(telemetry):
    port = ray.get(telemetry.start.remote())
    watch = ClusterWatch(telemetry)
    here = ray.get_runtime_context().get_node_id()
    watch.report({0: 5, 3: 2}, lambda: [(here, os.getpid())])
    found = until(port, ("edgestill_cohort_queue", "3"))
    assert found["edgestill_cohort_queue", "0"] == 5
    watch.report({0: 0}, list)
    end = time.monotonic() + 20.0
    while ("edgestill_cohort_queue", "3") in (found := scrape(port)):
        assert time.monotonic() < end
    assert found["edgestill_cohort_queue", "0"] == 0
    while (load := watch.load()) is None:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert load.cpus == psutil.cpu_count()
    assert 0.0 <= load.other_cpu_ratio <= 1.0


def test_busy_queues_are_not_reported_more_often_than_needed(monkeypatch):
    sent = []
    telemetry = SimpleNamespace(
        queues=SimpleNamespace(remote=lambda queues, own: sent.append(queues))
    )
    monkeypatch.setattr(
        ray, "get_runtime_context", lambda: SimpleNamespace(get_node_id=lambda: "here")
    )
    watch = ClusterWatch(telemetry)
    for number in range(5):
        watch.report({0: number + 1}, list)
    watch.report({0: 0}, list)
    assert sent == [{0: 1}, {0: 0}]


@pytest.fixture
def watch_of_two(ray_here, monkeypatch):
    """A watch over this node and one more, which is a probe on this node too."""
    here = ray.get_runtime_context().get_node_id()
    described = {
        node: {"NodeManagerAddress": address, "Resources": {"object_store_memory": 100.0}}
        for node, address in ((here, "10.0.0.1"), ("f" * 56, "10.0.0.2"))
    }
    monkeypatch.setattr(nodes_module, "ANSWER_TIMEOUT_S", 60.0)
    monkeypatch.setattr(nodes_module, "alive_nodes", lambda: described)
    monkeypatch.setattr(
        nodes_module,
        "available_resources_per_node",
        lambda: {node: {"object_store_memory": 60.0} for node in described},
    )
    monkeypatch.setattr(
        nodes_module, "NodeAffinitySchedulingStrategy", lambda node, soft: "DEFAULT"
    )
    store = MetricStore()
    watch = NodeWatch(store)
    yield watch, store, described, here
    for probe in watch._probes.values():
        ray.kill(probe)


def test_each_node_has_a_probe_and_takes_its_series_with_it(watch_of_two):
    watch, store, described, here = watch_of_two
    watch.sample()
    for name in NODE_METRICS:
        assert store.value(name, node="10.0.0.1") is not None, name
        assert store.value(name, node="10.0.0.2") is not None, name
    assert store.value("edgestill_node_object_store_used_bytes", node="10.0.0.2") == 40.0
    # Whose CPU it was is not known before the run's processes are.
    assert watch.load() is None
    watch.own({here: [os.getpid()]})
    watch.sample()
    assert watch.load() is None
    watch.sample()
    assert watch.load().cpus == 2 * psutil.cpu_count()
    (gone,) = set(described) - {here}
    del described[gone]
    watch.sample()
    assert not watch._probes
    assert store.value("edgestill_node_cpu_ratio", node="10.0.0.2") is None
    assert store.value("edgestill_node_cpu_ratio", node="10.0.0.1") is not None


def test_a_probe_that_died_is_left_out_and_started_again(watch_of_two):
    watch, store, _, _ = watch_of_two
    watch.sample()
    for probe in watch._probes.values():
        ray.kill(probe)
    watch.sample()
    assert not watch._probes
    assert store.value("edgestill_node_cpu_ratio", node="10.0.0.2") is None
    assert store.value("edgestill_node_cpu_ratio", node="10.0.0.1") is not None


def test_nodes_that_share_an_address_are_told_apart():
    nodes = {"aaaaaaaaaaaa": "10.0.0.1", "bbbbbbbbbbbb": "10.0.0.1", "cccccccccccc": "10.0.0.2"}
    described = {node: {"NodeManagerAddress": address} for node, address in nodes.items()}
    assert node_names(described) == {
        "aaaaaaaaaaaa": "10.0.0.1-aaaaaaaa",
        "bbbbbbbbbbbb": "10.0.0.1-bbbbbbbb",
        "cccccccccccc": "10.0.0.2",
    }


def test_a_probe_reads_its_machine():
    found = NodeProbe().sample([os.getpid()])
    assert found.cpus == psutil.cpu_count()
    assert found.free_memory_bytes < found.memory_bytes
