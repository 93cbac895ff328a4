"""The nodes of the cluster: their CPUs, memory and object stores, sampled beside the training.

The node that samples reads its own figures; on each other node a small actor that reserves nothing
does. A node that leaves takes its series with it.
"""

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import psutil
import ray
from ray._private.state import available_resources_per_node
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from edgestill.fleet import CpuMeter
from edgestill.telemetry import MetricStore

log = logging.getLogger(__name__)

SAMPLE_EVERY_S = 2.0
ANSWER_TIMEOUT_S = 5.0
MOST_NODES = 256
"""Of a larger cluster the first so many are watched."""

Series = dict[tuple[str, ...], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSample:
    """How a node is: shares of its CPUs in 0..1, and bytes."""

    cpus: int
    used_ratio: float
    other_ratio: float
    memory_bytes: float
    free_memory_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterLoad:
    """CPUs of all watched nodes, and the share of them that others than this run use, 0..1."""

    cpus: float
    other_cpu_ratio: float


class NodeProbe:
    """Reads the machine that it is on."""

    def __init__(self) -> None:
        self._meter = CpuMeter()

    def sample(self, own: list[int]) -> NodeSample:
        """Return how the machine is; ``own`` are process ids of this run."""
        load, memory = self._meter.load(own), psutil.virtual_memory()
        return NodeSample(
            cpus=psutil.cpu_count() or 1,
            used_ratio=load.used_ratio,
            other_ratio=load.other_ratio,
            memory_bytes=float(memory.total),
            free_memory_bytes=float(memory.available),
        )


class NodeWatch:
    """Samples all nodes from a thread of its own and writes them into a store."""

    def __init__(self, store: MetricStore) -> None:
        self._store = store
        self._here = ray.get_runtime_context().get_node_id()
        self._own_probe = NodeProbe()
        self._probes: dict[str, Any] = {}
        self._own: Mapping[str, list[int]] = {}
        self._own_known = False
        self._load: ClusterLoad | None = None
        self._end = threading.Event()

    def start(self) -> None:
        """Sample until stopped."""
        threading.Thread(target=self._run, name="nodes", daemon=True).start()

    def stop(self) -> None:
        """Sample no more."""
        self._end.set()

    def own(self, processes: Mapping[str, list[int]]) -> None:
        """Learn which processes are this run's, by node id."""
        self._own = processes

    def load(self) -> ClusterLoad | None:
        """Return the newest load; None until the run's processes were known for a whole sample."""
        return self._load

    def sample(self) -> None:
        """Sample all nodes once; one that does not answer in time has no series until it does."""
        nodes = alive_nodes()
        for gone in self._probes.keys() - nodes.keys():
            ray.kill(self._probes.pop(gone))
        samples = {self._here: self._own_probe.sample(self._own.get(self._here, []))}
        samples |= self._ask([node for node in nodes if node != self._here])
        self._export(nodes, samples)
        # CPU that was used before counts as that of others.
        known, self._own_known = self._own_known, bool(self._own)
        if not known:
            return
        cpus = sum(sample.cpus for sample in samples.values())
        others = sum(sample.cpus * sample.other_ratio for sample in samples.values())
        self._load = ClusterLoad(cpus=cpus, other_cpu_ratio=others / cpus)

    def _run(self) -> None:
        while not self._end.wait(SAMPLE_EVERY_S):
            try:
                self.sample()
            except ray.exceptions.RayError as error:
                log.warning("the nodes could not be sampled: %s", type(error).__name__)

    def _ask(self, nodes: Iterable[str]) -> dict[str, NodeSample]:
        asked = {self._probe(node).sample.remote(self._own.get(node, [])): node for node in nodes}
        if not asked:
            return {}
        ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER_TIMEOUT_S)
        samples = {}
        for answer in ready:
            node = asked[answer]
            try:
                samples[node] = ray.get(answer)
            except ray.exceptions.RayActorError:
                # A new one is started next time, if the node is still there.
                del self._probes[node]
        return samples

    def _probe(self, node: str) -> Any:
        if node not in self._probes:
            pinned = NodeAffinitySchedulingStrategy(node, soft=False)
            kind: Any = ray.remote(num_cpus=0)(NodeProbe)
            self._probes[node] = kind.options(scheduling_strategy=pinned).remote()
        return self._probes[node]

    def _export(
        self, nodes: Mapping[str, Mapping[str, Any]], samples: Mapping[str, NodeSample]
    ) -> None:
        names = node_names(nodes)
        there = {names[node]: sample for node, sample in samples.items() if node in names}
        capacity = {node: _object_store(one["Resources"]) for node, one in nodes.items()}
        left = available_resources_per_node()  # type: ignore[no-untyped-call]
        free = {node: _object_store(resources) for node, resources in left.items()}
        used = {node: capacity[node] - free[node] for node in nodes if node in free}
        for metric, series in {
            "cpu_ratio": {name: one.used_ratio for name, one in there.items()},
            "memory_bytes": {name: one.memory_bytes for name, one in there.items()},
            "free_memory_bytes": {name: one.free_memory_bytes for name, one in there.items()},
            "object_store_bytes": {names[node]: size for node, size in capacity.items()},
            "object_store_used_bytes": {names[node]: size for node, size in used.items()},
        }.items():
            self._store.set_all(f"edgestill_node_{metric}", by_label(series))


def alive_nodes() -> dict[str, dict[str, Any]]:
    """Return Ray's description of each live node by its id, at most ``MOST_NODES``."""
    alive = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    return {node["NodeID"]: node for node in sorted(alive, key=lambda n: n["NodeID"])[:MOST_NODES]}


def node_names(nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return each node's label: its address, and a piece of its id where an address is shared."""
    counts = Counter(node["NodeManagerAddress"] for node in nodes.values())
    return {
        identifier: address if counts[address] == 1 else f"{address}-{identifier[:8]}"
        for identifier, node in nodes.items()
        for address in (str(node["NodeManagerAddress"]),)
    }


def by_label(series: Mapping[Any, float]) -> Series:
    """Return series with one label, by its value."""
    return {(str(label),): value for label, value in series.items()}


def _object_store(resources: Mapping[str, float]) -> float:
    return float(resources.get("object_store_memory", 0.0))
