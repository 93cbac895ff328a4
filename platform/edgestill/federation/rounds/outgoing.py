"""A round's messages: who gets which model, which knowledge, and until when an answer counts."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from flwr.app import ArrayRecord, Message
from flwr.serverapp.strategy import FedAvg
from numpy.typing import NDArray

from edgestill.federation.aggregation.strategies import array_record
from edgestill.federation.device.plan import plan
from edgestill.federation.messages import Reduce, task_record
from edgestill.federation.roster.members import Members
from edgestill.federation.roster.participants import Participant, Pick, closing_time_s
from edgestill.federation.rounds.dispatch import (
    ModelFrames,
    TrainMessages,
    knowledge_records,
    strategy_messages,
)
from edgestill.federation.rounds.foretelling import Foretelling
from edgestill.federation.sources import KnowledgeSource, Selection, SelectionRequest
from edgestill.federation.world import World
from edgestill.knowledge import LinkFit, fit_to_link
from edgestill.models import Arrays
from edgestill.seeds import derive_seed

CHUNK = 256
"""Participants whose messages are made together: enough to share the cost of a call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """What is sent in a round.

    Attributes:
        messages: one for each participant, in order of device; made as they are taken.
        closes_after_s: virtual seconds after which answers come too late; may be infinite.
        class_counts: [K], selected public samples by class, of the messages made so far.
    """

    messages: Iterator[Message]
    closes_after_s: float
    class_counts: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatcher:
    """Makes the messages of any round.

    Attributes:
        reduce: whether replies may be summed on their way.
        knowledge_at_fog: whether fogs fill in knowledge by position.
    """

    world: World
    source: KnowledgeSource
    strategy: FedAvg
    reduce: Reduce
    knowledge_at_fog: bool

    def outgoing(
        self, round_number: int, picked: Pick, members: Members, arrays: Arrays
    ) -> Outgoing:
        """Return the messages for the picked devices."""
        frames = ModelFrames(self.world, arrays)
        foretelling = Foretelling(world=self.world, source=self.source, frames=frames)
        closes_after_s = closing_time_s(
            self.world.config.federation,
            picked,
            lambda: foretelling.total_s(picked.participants, members),
        )
        step = self.step(round_number, frames, members, closes_after_s=closes_after_s)
        counts = np.zeros(self.world.dataset.classes, np.int64)
        return Outgoing(
            messages=_counted(step.messages(picked.participants), counts),
            closes_after_s=closes_after_s,
            class_counts=counts,
        )

    def step(
        self, round_number: int, frames: ModelFrames, members: Members, *, closes_after_s: float
    ) -> "Step":
        """Return who makes the messages that go out with one version of the model."""
        task = task_record(
            closes_after_s=closes_after_s,
            reduce=self.reduce,
            knowledge_fingerprint=self.source.fingerprint(),
        )
        return Step(
            dispatcher=self,
            round_number=round_number,
            closes_after_s=closes_after_s,
            members=members,
            arrays=array_record(frames.arrays),
            train=TrainMessages(frames=frames, task=task),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Makes messages with one version of the model, for any participants."""

    dispatcher: Dispatcher
    round_number: int
    closes_after_s: float
    members: Members
    arrays: ArrayRecord
    train: TrainMessages = field(repr=False)

    def messages(
        self, participants: Sequence[Participant], selections: Sequence[Selection] | None = None
    ) -> Iterator[tuple[Message, Selection]]:
        """Yield each participant's message and what was selected for it, chunk by chunk.

        Args:
            participants: in the order of the messages.
            selections: of the same participants; made now if None.
        """
        for start in range(0, len(participants), CHUNK):
            chunk = participants[start : start + CHUNK]
            made = self.select(chunk) if selections is None else selections[start : start + CHUNK]
            yield from self._chunk(chunk, made)

    def _chunk(
        self, participants: Sequence[Participant], selections: Sequence[Selection]
    ) -> Iterator[tuple[Message, Selection]]:
        maker = self.dispatcher
        nodes = [participant.node_id for participant in participants]
        blank = strategy_messages(maker.strategy, self.round_number, self.arrays, nodes)
        for one, participant, selection in zip(blank, participants, selections, strict=True):
            knowledge = knowledge_records(
                maker.source,
                selection,
                participant.allocation,
                at_fog=maker.knowledge_at_fog,
            )
            one.metadata.group_id = str(self.round_number)
            yield self.train.fill(one, participant, knowledge), selection

    def select(self, participants: Sequence[Participant]) -> list[Selection]:
        """Return the teacher's knowledge for each participant."""
        seed, fits = self.dispatcher.world.config.seed, self._fits(participants)
        requests = [
            SelectionRequest(
                summary=self.members.summary_of(one.device),
                seed=derive_seed(
                    seed, "selection", round_number=self.round_number, device=one.device
                ),
                samples=None if fit is None else fit.samples,
            )
            for one, fit in zip(participants, fits, strict=True)
        ]
        return [
            selection if fit is None else replace(selection, lower_rate=fit.lower_rate)
            for selection, fit in zip(self.dispatcher.source.select(requests), fits, strict=True)
        ]

    def _fits(self, participants: Sequence[Participant]) -> list[LinkFit | None]:
        """Return what each participant's link brings in time; None where it is not asked."""
        knowledge = self.dispatcher.world.config.knowledge
        drawn = knowledge.selection in ("relevance", "random", "reversed")
        if not (knowledge.fit_link and drawn and math.isfinite(self.closes_after_s)):
            return [None] * len(participants)
        return [self._fit(one, knowledge.samples_per_round) for one in participants]

    def _fit(self, participant: Participant, samples: int) -> LinkFit:
        maker, allocation, vitals = self.dispatcher, participant.allocation, participant.vitals
        world = maker.world
        without = plan(
            world,
            participant.device,
            allocation,
            vitals,
            model_bytes=self.train.frames.size_bytes(allocation),
            knowledge_bytes=0,
            knowledge_samples=samples,
        )
        profile = world.fleet.profile_of(participant.device)
        return fit_to_link(
            maker.source.layout(tuple(allocation.modalities)),
            samples,
            bandwidth_bytes_per_s=profile.downlink_bytes_per_s * vitals.bandwidth_ratio,
            deadline_s=self.closes_after_s,
            compute_s=without.spent.total_s,
        )


def _counted(
    messages: Iterator[tuple[Message, Selection]], counts: NDArray[np.int64]
) -> Iterator[Message]:
    for message, selection in messages:
        counts += selection.class_counts
        yield message
