"""A run's CPUs and GPUs, taken all at once: runs queue for a cluster, none holds a part of it."""

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import ray
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from edgestill.config import EngineConfig
from edgestill.errors import InputError

log = logging.getLogger(__name__)

JOINING_TIMEOUT_S = 300.0
"""A cluster that is too small is given this long: nodes may be starting."""

LOG_EVERY_S = 30.0
POLL_S = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a run asks of the cluster.

    Attributes:
        cohorts: how many actors, of one CPU each.
        gpus: share of a GPU for each of them and for the teacher, 0 for none.
    """

    cohorts: int
    gpus: float

    @property
    def device(self) -> str:
        """What its actors train on: ``cpu`` or ``cuda``."""
        return "cuda" if self.gpus else "cpu"


def demand(config: EngineConfig) -> Demand:
    """Return what a configuration asks of the cluster that this process is connected to.

    Raises:
        InputError: GPUs are asked for and there is none.
    """
    nodes = _nodes_for(config.device)
    cpus = sum(node.get("CPU", 0.0) // 1 for node in nodes)
    cohorts = config.cohorts
    if cohorts is None:
        cohorts = max(int(cpus), config.cohorts_min or 1)
        cohorts = min(cohorts, config.cohorts_max or cohorts)
    if config.device == "cpu" or not all(node.get("GPU") for node in nodes):
        return Demand(cohorts=cohorts, gpus=0.0)
    # Of each GPU so many actors take a share, the teacher among them.
    sharing = max(
        math.ceil((cohorts * node.get("CPU", 0.0) / cpus + 1) / node["GPU"]) for node in nodes
    )
    return Demand(cohorts=cohorts, gpus=math.floor(1e4 / sharing) / 1e4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Bundles of one CPU each, on as many nodes as there are, and maybe one for the teacher.

    Attributes:
        group: Ray's.
        bundles: how many of one CPU.
        gpus: share of a GPU in each, and in the one for the teacher that comes last.
    """

    group: PlacementGroup
    bundles: int
    gpus: float = 0.0

    @property
    def teacher(self) -> PlacementGroupSchedulingStrategy | None:
        """Where the teacher belongs; None if it has no bundle."""
        return self._bundle(self.bundles) if self.gpus else None

    def of(self, index: int) -> PlacementGroupSchedulingStrategy | None:
        """Return where the actor of this index belongs; None if it has no bundle."""
        return self._bundle(index) if index < self.bundles else None

    def _bundle(self, index: int) -> PlacementGroupSchedulingStrategy:
        return PlacementGroupSchedulingStrategy(self.group, placement_group_bundle_index=index)


@contextmanager
def reserved(bundles: int, gpus: float = 0.0) -> Iterator[Placement]:
    """Hold so many CPUs inside the block, all or none, waiting while other runs hold them.

    Args:
        bundles: CPUs, at least 1.
        gpus: share of a GPU that goes with each, and once more for the teacher.

    Raises:
        InputError: the whole cluster has fewer, and no node joined in ``JOINING_TIMEOUT_S``.
    """
    # Ray frees the bundles too where this process dies without a word.
    wanted = [{"CPU": 1.0}] * bundles
    if gpus:
        wanted = [{"CPU": 1.0, "GPU": gpus}] * bundles + [{"GPU": gpus}]
    group = placement_group(wanted, strategy="SPREAD")
    try:
        _wait(group, bundles)
        yield Placement(group=group, bundles=bundles, gpus=gpus)
    finally:
        remove_placement_group(group)


def _wait(group: PlacementGroup, bundles: int) -> None:
    began = time.monotonic()
    said, too_small_since = began - LOG_EVERY_S, began
    # One poll at a time, so that a signal is heard between.
    while not group.wait(POLL_S):
        now, total = time.monotonic(), _total_cpus()
        if total >= bundles:
            too_small_since = now
        elif now - too_small_since >= JOINING_TIMEOUT_S:
            raise InputError(_too_small(bundles, total))
        if now - said >= LOG_EVERY_S:
            said = now
            log.info("queued: %s", _reason(bundles, total))
    if said > began - LOG_EVERY_S:
        log.info("%d CPUs are free after %.0f s", bundles, time.monotonic() - began)


def _reason(bundles: int, total: int) -> str:
    if total < bundles:
        return f"{_too_small(bundles, total)}; waiting {JOINING_TIMEOUT_S:.0f} s for nodes to join"
    return f"waiting for {bundles} of the cluster's {total} CPUs, which others hold"


def _too_small(bundles: int, total: int) -> str:
    return f"engine.cohorts asks for {bundles} CPUs, the cluster has {total}"


def _total_cpus() -> int:
    """Return the whole CPUs of all live nodes; a bundle does not straddle two."""
    return sum(int(node.get("CPU", 0)) for node in _resources())


def _resources() -> list[dict[str, float]]:
    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    return [node["Resources"] for node in nodes if node["Alive"]]


def _nodes_for(device: str) -> list[dict[str, float]]:
    """Return the resources of the nodes that cohorts may be on."""
    nodes = [node for node in _resources() if node.get("CPU", 0) >= 1]
    with_gpu = [node for node in nodes if node.get("GPU")]
    if device != "cuda":
        if with_gpu and len(with_gpu) < len(nodes) and device == "auto":
            log.info("CPUs are used: not every node has a GPU; engine.device: cuda takes those")
        return nodes
    if not with_gpu:
        raise InputError("engine.device: cuda, but no node of the cluster has a GPU; try auto")
    return with_gpu
