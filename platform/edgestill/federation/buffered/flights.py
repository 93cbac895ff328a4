"""What a device that starts is given, and when it can be back at the earliest."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flwr.app import Message

from edgestill.federation.buffered.event_queue import Flight
from edgestill.federation.device.plan import Plan, plan
from edgestill.federation.roster.members import Members
from edgestill.federation.roster.participants import Participant
from edgestill.federation.rounds.dispatch import ModelFrames, strategy_messages
from edgestill.federation.rounds.outgoing import Dispatcher, Step
from edgestill.federation.sources import Selection
from edgestill.fleet import Fleet
from edgestill.models import Arrays


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """The global model after ``number`` server steps, for whoever starts from it.

    Attributes:
        closes_after_s: virtual seconds after its start in which a device must answer; may be
            infinite.
        step: makes the messages.
    """

    number: int
    closes_after_s: float
    step: Step

    @classmethod
    def of(
        cls, dispatcher: Dispatcher, members: Members, number: int, arrays: Arrays
    ) -> "ModelVersion":
        """Return a version; seeds and messages carry the number of the server step to come."""
        deadline_s = dispatcher.world.config.federation.deadline_s
        closes_after_s = math.inf if deadline_s is None else deadline_s
        frames = ModelFrames(dispatcher.world, arrays)
        return cls(
            number=number,
            closes_after_s=closes_after_s,
            step=dispatcher.step(number + 1, frames, members, closes_after_s=closes_after_s),
        )

    @property
    def frames(self) -> ModelFrames:
        """The coded model."""
        return self.step.train.frames

    @property
    def _fleet(self) -> Fleet:
        return self.step.dispatcher.world.fleet

    def flights(self, participants: Sequence[Participant], start_s: float) -> list[Flight]:
        """Return the flights of devices that start now."""
        selections = self.step.select(participants)
        return [
            self._flight(participant, selection, start_s)
            for participant, selection in zip(participants, selections, strict=True)
        ]

    def messages(self, flights: Sequence[Flight]) -> Iterator[Message]:
        """Yield the train messages of flights that started from this version."""
        made = self.step.messages(
            [flight.participant for flight in flights], [flight.selection for flight in flights]
        )
        return (message for message, _ in made)

    def show(self) -> None:
        """Let the strategy see this as the model that its next step goes from."""
        # Strategies that sum send every node the same, so one stands for all.
        step = self.step
        strategy_messages(step.dispatcher.strategy, step.round_number, step.arrays, [0])

    def _flight(self, participant: Participant, selection: Selection, start_s: float) -> Flight:
        foretold = self._plan(participant, selection)
        spent, closes_s = foretold.spent, self.closes_after_s
        # What comes up is known when it is coded; that it takes a round trip is known now.
        wait_s = self._fleet.profile_of(participant.device).round_trip_s
        busy_s = spent.downlink_s + spent.compute_s + wait_s
        # A device that has too little memory says so at once.
        earliest_s = min(busy_s, closes_s) if foretold.fits else 0.0
        whole_s = min(spent.total_s, closes_s) if foretold.fits else 0.0
        return Flight(
            participant=participant,
            version=self.number,
            start_s=start_s,
            earliest_s=start_s + earliest_s,
            foretold_s=start_s + whole_s,
            selection=selection,
        )

    def _plan(self, participant: Participant, selection: Selection) -> Plan:
        """Return what the device will make of it; its knowledge has a frame around it more."""
        samples, source = len(selection.positions), self.step.dispatcher.source
        kinds = tuple(participant.allocation.modalities)
        sample_bytes = 0
        if samples:
            layout = source.layout(kinds)
            sample_bytes = layout.coarse_bytes if selection.lower_rate else layout.record_bytes
        return plan(
            self.step.dispatcher.world,
            participant.device,
            participant.allocation,
            participant.vitals,
            model_bytes=self.frames.size_bytes(participant.allocation),
            knowledge_bytes=samples * sample_bytes,
            knowledge_samples=samples,
        )
