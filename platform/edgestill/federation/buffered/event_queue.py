"""Who is under way on the virtual clock, and which arrival can safely be the next.

Conservative look-ahead, as in parallel discrete-event simulation (Chandy & Misra, IEEE Transactions
on Software Engineering, 1979): of a device that has not been trained yet it is known before when it
cannot arrive, because it has to download and to compute first. As long as a known arrival lies
before all these times nothing can overtake it, so training waits until it is needed, and then all
that are under way are trained together.
"""

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass

from edgestill.federation.roster.participants import Participant
from edgestill.federation.sources import Selection
from edgestill.federation.table import Figures

Place = tuple[float, int]
"""When, and which device: arrivals at the same time are in order of device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """A device under way.

    Attributes:
        participant: with its allocation and its vitals at the start.
        version: of the model that it started from, which is the number of server steps before.
        start_s: virtual time of its start.
        earliest_s: virtual time before which it cannot answer.
        foretold_s: virtual time at which the server takes it for lost if it has failed.
        selection: of the teacher's knowledge.
    """

    participant: Participant
    version: int
    start_s: float
    earliest_s: float
    foretold_s: float
    selection: Selection

    @property
    def device(self) -> int:
        """The device."""
        return self.participant.device


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """How a flight ends.

    Attributes:
        landed_s: virtual time at which the server has the answer, or gives the device up.
        figures: what the device reports; None where it failed.
        frame: its coded update; None without one.
        reason: of a failure, a short label; empty without one.
        failure: its whole text.
    """

    flight: Flight
    landed_s: float
    figures: Figures | None
    frame: bytes | None
    reason: str = ""
    failure: str = ""

    @property
    def place(self) -> Place:
        """Where it stands in the order of arrivals."""
        return self.landed_s, self.flight.device


class EventQueue:
    """All flights: those not trained yet, and the landings of the others."""

    def __init__(self) -> None:
        self._untrained: dict[int, Flight] = {}
        self._blocked: Place = (math.inf, 0)
        self._landings: dict[int, Landing] = {}
        self._order: list[Place] = []

    def __len__(self) -> int:
        """Return how many devices are under way."""
        return len(self._untrained) + len(self._landings)

    def devices(self) -> list[int]:
        """Return who is under way, ascending."""
        return sorted((*self._untrained, *self._landings))

    def start(self, flight: Flight) -> None:
        """Let a device that is not under way set out."""
        self._untrained[flight.device] = flight
        self._blocked = min(self._blocked, (flight.earliest_s, flight.device))

    def untrained(self) -> list[Flight]:
        """Return the flights not trained yet, by version and device."""
        return sorted(self._untrained.values(), key=lambda one: (one.version, one.device))

    def landings(self) -> list[Landing]:
        """Return the flights that are trained, in the order of their arrival."""
        return sorted(self._landings.values(), key=lambda one: one.place)

    def trained(self, landings: Iterable[Landing]) -> None:
        """Take what came of all untrained flights.

        Raises:
            ValueError: a flight is left out.
        """
        for landing in landings:
            self._untrained.pop(landing.flight.device, None)
            self._landings[landing.flight.device] = landing
            heapq.heappush(self._order, landing.place)
        if self._untrained:
            raise ValueError(f"devices {sorted(self._untrained)} were not trained")
        self._blocked = (math.inf, 0)

    def pop(self) -> Landing | None:
        """Return the next arrival; None where someone has to be trained first, or nobody flies."""
        if not self._order or self._blocked <= self._order[0]:
            return None
        _, device = heapq.heappop(self._order)
        return self._landings.pop(device)
