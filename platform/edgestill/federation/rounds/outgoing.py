"""A round's messages: who gets which model, which knowledge, and until when an answer counts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from flwr.app import ArrayRecord, Message
from flwr.serverapp.strategy import FedAvg
from numpy.typing import NDArray

from edgestill.federation.aggregation.strategies import array_record
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
            members=members,
            arrays=array_record(frames.arrays),
            train=TrainMessages(frames=frames, task=task),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Makes messages with one version of the model, for any participants."""

    dispatcher: Dispatcher
    round_number: int
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
                selection.positions,
                participant.allocation,
                at_fog=maker.knowledge_at_fog,
            )
            one.metadata.group_id = str(self.round_number)
            yield self.train.fill(one, participant, knowledge), selection

    def select(self, participants: Sequence[Participant]) -> list[Selection]:
        """Return the teacher's knowledge for each participant."""
        seed = self.dispatcher.world.config.seed
        requests = [
            SelectionRequest(
                summary=self.members.summary_of(one.device),
                seed=derive_seed(
                    seed, "selection", round_number=self.round_number, device=one.device
                ),
            )
            for one in participants
        ]
        return self.dispatcher.source.select(requests)


def _counted(
    messages: Iterator[tuple[Message, Selection]], counts: NDArray[np.int64]
) -> Iterator[Message]:
    for message, selection in messages:
        counts += selection.class_counts
        yield message
