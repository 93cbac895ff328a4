"""Rounds without a common start: FedBuff on the virtual clock.

Nguyen, Malik, Zhan, Yousefpour, Rabbat, Malek & Huba, "Federated Learning with Buffered
Asynchronous Aggregation", AISTATS 2022, algorithm 1. ``concurrency`` devices train at any time;
each arrival lets the next one start from the present model; when ``buffer_size`` = K updates have
come the server steps by

    sum_i s(t_i) n_i d_i / sum_i n_i,    s(t) = 1 / (1 + t)^staleness_exponent,

where d_i is the update, n_i the number of examples and t_i the staleness: how many steps the server
took since device i started. With equal n_i this is the paper's sum of s(t_i) d_i divided by K, with
exponent 1/2 its s. The divisor does not shrink with s: a stale buffer makes a smaller step. A
device counts at most once in a step.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from flwr.app import Message
from flwr.serverapp import Grid
from numpy.typing import NDArray

from edgestill.allocation import Allocation
from edgestill.federation.aggregation.collect import collect
from edgestill.federation.buffered.buffer import Buffer
from edgestill.federation.buffered.event_queue import EventQueue, Flight, Landing
from edgestill.federation.buffered.flights import ModelVersion
from edgestill.federation.buffered.state import State, queue_state, restored_queue
from edgestill.federation.buffered.takeoff import Takeoff
from edgestill.federation.messages import FRAME, LATE, UPDATE, config_record
from edgestill.federation.roster.chooser import Chooser
from edgestill.federation.roster.members import Members
from edgestill.federation.roster.participants import Greet
from edgestill.federation.rounds.outgoing import Dispatcher
from edgestill.federation.rounds.played import Played
from edgestill.federation.table import Figures
from edgestill.fleet import Fleet
from edgestill.models import Arrays

MOST_VERSIONS = 4
"""Models that are kept for devices not trained yet; then these are trained before they must."""


class BufferedRounds:
    """Keeps ``concurrency`` devices training and tells when the server steps.

    Attributes:
        queue: who is under way.
        versions: the models that somebody under way has yet to be trained from, by number.
    """

    def __init__(
        self,
        *,
        grid: Grid,
        dispatcher: Dispatcher,
        fleet: Fleet,
        members: Members,
        chooser: Chooser,
        greet: Greet,
        started: Callable[[int, int], None],
    ) -> None:
        self._grid = grid
        self._dispatcher = dispatcher
        self._world = dispatcher.world
        self._config = dispatcher.world.config.federation
        self._fleet = fleet
        self._members = members
        self._chooser = chooser
        self._greet = greet
        self._started = started
        self.queue = EventQueue()
        self.versions: dict[int, ModelVersion] = {}

    def play(
        self, round_number: int, allocations: Mapping[str, Allocation], arrays: Arrays
    ) -> Played:
        """Let time pass until the server steps.

        That is when the buffer is full; or when as many devices as train at a time, and a buffer
        more, came back without an update, so that the allocator can do something about it; or when
        nobody is under way and nobody can start.

        Args:
            round_number: of the step, from 1.
            allocations: what each group may spend.
            arrays: the present model.
        """
        version = self._present(round_number - 1, arrays)
        takeoff = self._takeoff(round_number, allocations)
        buffer = Buffer(
            version=version.number,
            exponent=self._config.staleness_exponent,
            fingerprint=self._world.fingerprint,
        )
        class_counts = np.zeros(self._world.dataset.classes, np.int64)
        now_s = self._fleet.time_s
        while not self._is_full(buffer):
            for flight in self._launch(version, takeoff, now_s):
                class_counts += flight.selection.class_counts
            if not buffer.landings:
                self._started(round_number, len(self.queue))
            landing = self._next_landing()
            if landing is None:
                break
            now_s = max(now_s, landing.landed_s)
            buffer.land(landing, charged=self._charged(landing.flight.device, now_s))
        version.show()
        return Played(
            participants=sorted(
                (one.flight.participant for one in buffer.landings), key=lambda one: one.device
            ),
            collected=buffer.collected(),
            class_counts=class_counts,
            duration_s=now_s - self._fleet.time_s,
            buffer=buffer.row(len(self.queue)),
        )

    def train(self) -> None:
        """Train all who are under way and have not been, in one batch."""
        flights = self.queue.untrained()
        messages: list[Message] = []
        for number, version in self.versions.items():
            own = [flight for flight in flights if flight.version == number]
            messages += version.messages(own)
        replies = self._grid.send_and_receive(messages, timeout=self._config.timeout_s)
        answers = {reply.metadata.src_node_id: reply for reply in replies}
        self.queue.trained(
            self._landing(flight, answers.get(flight.participant.node_id)) for flight in flights
        )
        self._forget_versions()

    def state(self) -> State:
        """Return who is under way, and the models that they are yet to be trained from."""
        self._forget_versions()
        arrays, plain = queue_state(self.queue)
        for number, version in self.versions.items():
            for name, array in version.frames.arrays.items():
                arrays[f"version/{number}/{name}"] = array
        return arrays, {**plain, "versions": list(self.versions)}

    def restore(self, arrays: Mapping[str, NDArray[Any]], plain: Mapping[str, Any]) -> None:
        """Put back what :meth:`state` gave."""
        self.queue = restored_queue(arrays, plain)
        for number in plain["versions"]:
            start = f"version/{number}/"
            model = {n.removeprefix(start): a for n, a in arrays.items() if n.startswith(start)}
            self.versions[number] = ModelVersion.of(self._dispatcher, self._members, number, model)

    def _present(self, number: int, arrays: Arrays) -> ModelVersion:
        """Enter the present model among the versions, of which there are never too many."""
        self._forget_versions()
        if len(self.versions) >= MOST_VERSIONS:
            self.train()
        version = ModelVersion.of(self._dispatcher, self._members, number, arrays)
        self.versions[number] = version
        return version

    def _forget_versions(self) -> None:
        needed = {flight.version for flight in self.queue.untrained()}
        self.versions = {n: one for n, one in self.versions.items() if n in needed}

    def _takeoff(self, round_number: int, allocations: Mapping[str, Allocation]) -> Takeoff:
        """Return the candidates: all who are not under way."""
        waiting = self._members.candidates()
        waiting[self.queue.devices()] = False
        order = self._chooser.order(
            np.flatnonzero(waiting), wanted=self._config.buffer_size, round_number=round_number
        )
        return Takeoff(
            self._fleet,
            self._members,
            allocations,
            order,
            greet=self._greet,
            block=self._config.buffer_size,
            seed=self._world.config.seed,
            round_number=round_number,
        )

    def _launch(self, version: ModelVersion, takeoff: Takeoff, now_s: float) -> list[Flight]:
        """Let devices start until ``concurrency`` are under way."""
        count = self._config.concurrency - len(self.queue)
        participants = takeoff.take(count, now_s) if count > 0 else []
        if not participants:
            return []
        self.versions.setdefault(version.number, version)
        flights = version.flights(participants, now_s)
        for flight in flights:
            self.queue.start(flight)
        return flights

    def _next_landing(self) -> Landing | None:
        """Return the next arrival, training first where that must be; None when nobody flies."""
        landing = self.queue.pop()
        if landing is None and len(self.queue):
            self.train()
            landing = self.queue.pop()
        return landing

    def _landing(self, flight: Flight, reply: Message | None) -> Landing:
        """Return how a flight ends."""
        node_id = flight.participant.node_id
        arrays = self.versions[flight.version].frames.arrays
        collected = collect(
            [] if reply is None else [reply],
            {node_id: flight.device},
            shapes={name: array.shape for name, array in arrays.items()},
            fingerprint=self._world.fingerprint,
        )
        figures = collected.figures.get(flight.device)
        frame = None
        if reply is not None and collected.updates:
            frame = config_record(reply.content, UPDATE)[FRAME]
        return Landing(
            flight=flight,
            landed_s=self._landed_s(flight, figures),
            figures=figures,
            frame=frame if isinstance(frame, bytes) else None,
            reason="".join(collected.failures),
            failure=collected.first_failure,
        )

    def _landed_s(self, flight: Flight, figures: Figures | None) -> float:
        if figures is None:
            return flight.foretold_s
        if figures["status"] == LATE:
            return flight.start_s + self.versions[flight.version].closes_after_s
        # A real device may be faster than was foretold; others may have been let past it then.
        return max(flight.start_s + figures["total-s"], flight.earliest_s)

    def _is_full(self, buffer: Buffer) -> bool:
        size = self._config.buffer_size
        return (
            len(buffer.stalenesses) >= size or buffer.fruitless >= size + self._config.concurrency
        )

    def _charged(self, device: int, time_s: float) -> bool:
        # Of a machine without a battery to read this is NaN.
        return not self._fleet.vitals(device, time_s).battery_ratio <= 0.0
