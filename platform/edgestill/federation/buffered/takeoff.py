"""Who may start from a version of the model, in which order, as the virtual clock moves on."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgestill.allocation import Allocation
from edgestill.federation.roster.members import Devices, Members
from edgestill.federation.roster.participants import (
    Greet,
    Participant,
    is_willing,
    participants_of,
)
from edgestill.fleet import Fleet


class Takeoff:
    """The candidates of one version.

    A device starts at most once from a version, so no update is made twice from the same numbers.
    Who cannot be reached when its turn comes keeps its place. Devices say hello in blocks, a little
    ahead of their turn.

    Args:
        order: the candidates in the order in which they should be asked.
        block: how many are asked for their hello together.
        round_number: of the server step to come.
    """

    def __init__(
        self,
        fleet: Fleet,
        members: Members,
        allocations: Mapping[str, Allocation],
        order: Devices,
        *,
        greet: Greet,
        block: int,
        seed: int,
        round_number: int,
    ) -> None:
        self._fleet = fleet
        self._members = members
        self._allocations = allocations
        self._order = order
        self._greet = greet
        self._block = block
        self._seed = seed
        self._round_number = round_number
        self._asked = 0
        self._ready: Devices = np.empty(0, np.int64)

    def take(self, count: int, time_s: float) -> list[Participant]:
        """Return up to ``count`` devices that can start now, and let them go."""
        while True:
            reachable = self._fleet.available_among(self._ready, time_s)
            places = np.flatnonzero(reachable)[:count]
            missing = count - len(places)
            if missing == 0 or self._asked == len(self._order):
                break
            self._ask(max(missing, self._block))
        chosen = self._ready[places]
        self._ready = np.delete(self._ready, places)
        return participants_of(self._fleet, self._members, self._allocations, chosen, time_s=time_s)

    def _ask(self, count: int) -> None:
        block = self._order[self._asked : self._asked + count]
        self._asked += len(block)
        self._greet(block)
        known = self._members.with_data(block)
        self._ready = np.concatenate([self._ready, known[self._willing(known)]])

    def _willing(self, devices: Devices) -> NDArray[np.bool_]:
        groups = self._fleet.groups
        return np.array(
            [
                is_willing(
                    self._allocations[groups[group].name], self._seed, self._round_number, device
                )
                for device, group in zip(
                    devices.tolist(), self._fleet.group_index[devices].tolist(), strict=True
                )
            ],
            np.bool_,
        )
