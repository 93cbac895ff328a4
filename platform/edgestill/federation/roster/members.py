"""Who said hello: a few numbers for each device of the population."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgestill.errors import CheckpointError
from edgestill.federation.local_grid import FIRST_NODE_ID
from edgestill.federation.roster.shelf import SummaryShelf
from edgestill.fleet import Vitals
from edgestill.knowledge import Summary

Devices = NDArray[np.int64]

UNASKED = -1
"""In place of a number of samples: the device has not said hello."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A device that said hello: its node, its number of samples, its noised summary if any.

    ``vitals`` are what a real device reads of its machine; None for a simulated one.
    """

    node_id: int
    examples: int
    summary: Summary | None
    summary_bytes: int
    vitals: Vitals | None = None


class Members(Mapping[int, Member]):
    """The devices that said hello, in order of device.

    Twelve bytes for each device of the population; summaries lie on disk. On a grid of ours the
    node of a device follows from its number; on another one it is known from its hello, and only
    devices with a node can take part.
    """

    def __init__(self, devices: int, *, nodes_by_rule: bool = True) -> None:
        self._examples = np.full(devices, UNASKED, np.int32)
        self._summary_bytes = np.zeros(devices, np.int32)
        self._places = np.full(devices, -1, np.int32)
        # Flower's node ids have 64 bits, and none is 0.
        self._nodes = None if nodes_by_rule else np.zeros(devices, np.uint64)
        self._vitals: dict[int, Vitals] = {}
        self._shelf = SummaryShelf()

    def __len__(self) -> int:
        """Return how many devices said hello."""
        return int(np.count_nonzero(self._examples >= 0))

    def __iter__(self) -> Iterator[int]:
        """Return the devices that said hello, ascending."""
        return iter(np.flatnonzero(self._examples >= 0).tolist())

    def __getitem__(self, device: int) -> Member:
        """Return what a device said; raises KeyError if it has not said hello."""
        if not 0 <= device < len(self._examples) or self._examples[device] < 0:
            raise KeyError(device)
        return Member(
            node_id=self.node_of(device),
            examples=int(self._examples[device]),
            summary=self.summary_of(device),
            summary_bytes=int(self._summary_bytes[device]),
            vitals=self.vitals_of(device),
        )

    def enter(self, device: int, member: Member) -> None:
        """Take down what a device said; the summary of an earlier hello stays.

        Raises:
            FrameError: its summary has another shape than those of the others.
        """
        if self._places[device] < 0 and member.summary is not None:
            self._places[device] = self._shelf.add(member.summary)
            self._summary_bytes[device] = member.summary_bytes
        self._examples[device] = member.examples
        if self._nodes is not None:
            self._nodes[device] = member.node_id
        if member.vitals is not None:
            self._vitals[device] = member.vitals

    @property
    def population(self) -> int:
        """The number of devices, whether they said hello or not."""
        return len(self._examples)

    @property
    def summaries(self) -> int:
        """How many devices gave a summary."""
        return len(self._shelf)

    def candidates(self) -> NDArray[np.bool_]:
        """Return which devices may take part [N]: all with a node but those known to lack data."""
        hopeful: NDArray[np.bool_] = self._examples != 0
        return hopeful if self._nodes is None else hopeful & (self._nodes > 0)

    def strangers(self, devices: Devices) -> Devices:
        """Return those of some devices that have not said hello."""
        return devices[self._examples[devices] < 0]

    def with_data(self, devices: Devices) -> Devices:
        """Return those of some devices that said that they have samples."""
        return devices[self._examples[devices] > 0]

    def examples_of(self, devices: Devices) -> NDArray[np.int64]:
        """Return the numbers of samples of some devices, -1 for one that has not said hello."""
        return self._examples[devices].astype(np.int64)

    def summary_bytes_of(self, devices: Devices) -> NDArray[np.int64]:
        """Return what the summaries of some devices took on the link."""
        return self._summary_bytes[devices].astype(np.int64)

    def summary_of(self, device: int) -> Summary | None:
        """Return a device's summary; None if it gave none."""
        place = int(self._places[device])
        return None if place < 0 else self._shelf.read(place)

    def vitals_of(self, device: int) -> Vitals | None:
        """Return what a real device read of its machine at its hello; None for another."""
        return self._vitals.get(device)

    def node_of(self, device: int) -> int:
        """Return a device's node id."""
        return FIRST_NODE_ID + device if self._nodes is None else int(self._nodes[device])

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what a resumed run must not ask again, for a checkpoint; arrays [said hello]."""
        devices = np.flatnonzero(self._examples >= 0)
        places = self._places[devices]
        return {
            "devices": devices,
            "examples": self._examples[devices],
            "summary_bytes": self._summary_bytes[devices],
            "summarised": places >= 0,
            "summaries": self._shelf.rows(places[places >= 0]),
            "summary_shape": np.array(self._shelf.shape),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take up a state that :meth:`state` gave; nodes of another grid must be met anew.

        Raises:
            CheckpointError: an array is missing, or names a device that is none.
        """
        try:
            devices, summarised = state["devices"], state["summarised"].astype(bool)
            self._examples[devices] = state["examples"]
            self._summary_bytes[devices] = state["summary_bytes"]
            classes, width = state["summary_shape"].tolist()
            self._shelf.restore(state["summaries"], (classes, width))
            self._places[devices[summarised]] = np.arange(len(self._shelf))
        except (KeyError, IndexError, ValueError) as error:
            raise CheckpointError(f"members: {type(error).__name__}: {error}") from error
