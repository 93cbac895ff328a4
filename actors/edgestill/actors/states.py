"""What devices keep between rounds lies in Ray's object store, beside the cohorts.

A chunk's states are returned as objects of their own, which the driver owns and never fetches: they
outlive the cohort that made them, and Ray writes them to disk where its memory is full. Each
device's state is one buffer in them, so that a cohort unpacks only the states that it needs. What
lies on a node is lost with it: its devices begin anew.
"""

import logging
import pickle
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
from flwr.app import Context, RecordDict
from numpy.typing import NDArray

from edgestill.telemetry import MetricStore, log_fields

log = logging.getLogger(__name__)

OBJECT_BYTES = 2**20
"""Aim for the size of an object: of few devices' states, so that it goes when these are renewed."""

FETCH_TIMEOUT_S = 60.0
"""How long a state may take to come from another node or from disk."""

LOST = (
    ray.exceptions.ObjectLostError,
    ray.exceptions.ObjectFetchTimedOutError,
    ray.exceptions.OwnerDiedError,
)

Buffer = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class StateReport:
    """What became of the states of a chunk's nodes.

    Attributes:
        parts: node id to the number of the object that holds its new state; a state that did not
            change is left out.
        size_bytes: of all new states.
        lost: nodes that began anew because their states were gone.
    """

    parts: Mapping[int, int]
    size_bytes: int
    lost: tuple[int, ...]


class Restored:
    """In a cohort: gives contexts their states, and packs them again afterwards."""

    def __init__(
        self, contexts: Mapping[int, Context], states: Mapping[int, int], references: Sequence[Any]
    ) -> None:
        self._contexts = contexts
        self._before: dict[int, Buffer] = {}
        objects = _fetched(references)
        self._lost = tuple(node for node, number in states.items() if objects[number] is None)
        for node, number in states.items():
            if (held := objects[number]) is not None:
                self._before[node] = held[node]
                contexts[node].state = pickle.loads(held[node].data)  # noqa: S301 - our own actors'

    def packed(self, parts: int) -> tuple[StateReport, list[dict[int, Buffer]]]:
        """Return which states changed, and these in so many objects."""
        objects: list[dict[int, Buffer]] = [{} for _ in range(parts)]
        places: dict[int, int] = {}
        size_bytes = 0
        for number, (node, context) in enumerate(self._contexts.items()):
            if (buffer := self._changed(node, context.state)) is not None:
                places[node] = number * parts // len(self._contexts)
                objects[places[node]][node] = buffer
                size_bytes += buffer.nbytes
        return StateReport(parts=places, size_bytes=size_bytes, lost=self._lost), objects

    def _changed(self, node: int, state: RecordDict) -> Buffer | None:
        before = self._before.get(node)
        if before is None and not len(state):
            return None
        # An array travels outside of Ray's pickle and is read from shared memory without a copy.
        buffer = np.frombuffer(pickle.dumps(state, protocol=5), np.uint8)
        return None if before is not None and np.array_equal(before, buffer) else buffer


@dataclass(frozen=True, slots=True)
class Kept:
    """An object that holds states of some nodes, and the node of the cluster where it was made."""

    reference: Any
    home: str


class DeviceStates:
    """In the driver: where each node's state lies; not the states."""

    def __init__(self, store: MetricStore) -> None:
        self._store = store
        self._kept: dict[int, Kept] = {}
        self._mean_bytes = 0.0
        self._lost = 0

    def __len__(self) -> int:
        """Return of how many nodes there is a state."""
        return len(self._kept)

    def home(self, node_id: int) -> str | None:
        """Return the node of the cluster where a node's state lies; None if it has none."""
        kept = self._kept.get(node_id)
        return None if kept is None else kept.home

    def places(self, node_ids: Iterable[int]) -> tuple[dict[int, int], list[Any]]:
        """Return which object holds which node's state, and references to these objects."""
        numbers: dict[Any, int] = {}
        states = {
            node: numbers.setdefault(self._kept[node].reference, len(numbers))
            for node in node_ids
            if node in self._kept
        }
        return states, list(numbers)

    def parts(self, nodes: int) -> int:
        """Return into how many objects the states of so many nodes should go."""
        return max(1, min(nodes, round(nodes * self._mean_bytes / OBJECT_BYTES)))

    def keep(self, report: StateReport, references: Sequence[Any], home: str) -> None:
        """Take over new states; Ray frees an object once no node has its state in it."""
        kept = [Kept(reference, home) for reference in references]
        for node in report.lost:
            self._kept.pop(node, None)
        for node, number in report.parts.items():
            self._kept[node] = kept[number]
        if report.parts:
            self._mean_bytes = report.size_bytes / len(report.parts)
        self._lost += len(report.lost)

    def tell_lost(self) -> None:
        """Count the states that were lost since the last time, and say so in one line."""
        self._store.inc("edgestill_device_states_lost_total", self._lost)
        if self._lost:
            with log_fields(stage="states"):
                log.warning(
                    "%d devices begin anew: their states were lost with a node of the cluster",
                    self._lost,
                )
        self._lost = 0


def _fetched(references: Sequence[Any]) -> list[dict[int, Buffer] | None]:
    """Return each object, None for one that is lost."""
    if not references:
        return []
    ray.wait(list(references), num_returns=len(references), timeout=FETCH_TIMEOUT_S)
    objects: list[dict[int, Buffer] | None] = []
    for reference in references:
        try:
            objects.append(ray.get(reference, timeout=FETCH_TIMEOUT_S))
        except (*LOST, ray.exceptions.GetTimeoutError):
            objects.append(None)
    return objects
