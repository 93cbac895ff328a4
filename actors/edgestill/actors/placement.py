"""A run's CPUs, taken all at once: runs queue for a cluster and none holds a part of it."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import ray
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from edgestill.errors import InputError

log = logging.getLogger(__name__)

JOINING_TIMEOUT_S = 300.0
"""A cluster that is too small is given this long: nodes may be starting."""

LOG_EVERY_S = 30.0
POLL_S = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Bundles of one CPU each, on as many nodes as there are."""

    group: PlacementGroup
    bundles: int

    def of(self, index: int) -> PlacementGroupSchedulingStrategy | None:
        """Return where the actor of this index belongs; None if it has no bundle."""
        if index >= self.bundles:
            return None
        return PlacementGroupSchedulingStrategy(self.group, placement_group_bundle_index=index)


@contextmanager
def reserved(bundles: int) -> Iterator[Placement]:
    """Hold so many CPUs inside the block, all or none, waiting while other runs hold them.

    Args:
        bundles: CPUs, at least 1.

    Raises:
        InputError: the whole cluster has fewer, and no node joined in ``JOINING_TIMEOUT_S``.
    """
    # Ray frees the bundles too where this process dies without a word.
    group = placement_group([{"CPU": 1.0}] * bundles, strategy="SPREAD")
    try:
        _wait(group, bundles)
        yield Placement(group=group, bundles=bundles)
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
    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    return sum(int(node["Resources"].get("CPU", 0)) for node in nodes if node["Alive"])
