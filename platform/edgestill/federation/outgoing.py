"""A round's messages: who gets which model, which knowledge, and until when an answer counts."""

from dataclasses import dataclass

from flwr.app import Message
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg

from edgestill.federation.device import plan
from edgestill.federation.dispatch import (
    ModelFrames,
    knowledge_records,
    strategy_config,
    train_message,
)
from edgestill.federation.messages import Reduce
from edgestill.federation.participants import Member, Participant, Pick, closing_time_s
from edgestill.federation.sources import KnowledgeSource, Selection, SelectionRequest
from edgestill.federation.world import World
from edgestill.models import Arrays
from edgestill.seeds import derive_seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """What is sent in a round.

    Attributes:
        messages: one for each participant, in order of device.
        selections: of the same participants.
        closes_after_s: virtual seconds after which answers come too late; may be infinite.
    """

    messages: list[Message]
    selections: list[Selection]
    closes_after_s: float


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
        self,
        round_number: int,
        picked: Pick,
        members: dict[int, Member],
        arrays: Arrays,
        grid: Grid,
    ) -> Outgoing:
        """Return the messages for the picked devices, at least one."""
        frames = ModelFrames(self.world, arrays)
        selections = self._select(round_number, picked, members)
        nodes = [participant.node_id for participant in picked.participants]
        configs = strategy_config(self.strategy, round_number, arrays, grid, nodes)
        closes_after_s = self._closing_time_s(picked, frames)
        fingerprint = self.source.fingerprint()
        messages = [
            train_message(
                participant,
                configs[participant.node_id],
                frames.record(participant.allocation),
                knowledge_records(
                    self.source,
                    selection.positions,
                    participant.allocation,
                    at_fog=self.knowledge_at_fog,
                ),
                round_number=round_number,
                closes_after_s=closes_after_s,
                reduce=self.reduce,
                knowledge_fingerprint=fingerprint,
            )
            for participant, selection in zip(picked.participants, selections, strict=True)
        ]
        return Outgoing(messages=messages, selections=selections, closes_after_s=closes_after_s)

    def _select(
        self, round_number: int, picked: Pick, members: dict[int, Member]
    ) -> list[Selection]:
        seed = self.world.config.seed
        devices = [participant.device for participant in picked.participants]
        requests = [
            SelectionRequest(
                summary=members[device].summary,
                seed=derive_seed(seed, "selection", round_number=round_number, device=device),
            )
            for device in devices
        ]
        return self.source.select(requests)

    def _closing_time_s(self, picked: Pick, frames: ModelFrames) -> float:
        knowledge = self.world.config.knowledge
        samples = 0 if knowledge.selection == "none" else knowledge.samples_per_round

        def foretold_s(participant: Participant) -> float:
            foretold = plan(
                self.world,
                participant.device,
                participant.allocation,
                participant.vitals,
                model_bytes=frames.size_bytes(participant.allocation),
                knowledge_bytes=samples * self._record_bytes(participant) if samples else 0,
                knowledge_samples=samples,
            )
            return foretold.spent.total_s

        return closing_time_s(self.world.config.federation, picked, foretold_s)

    def _record_bytes(self, participant: Participant) -> int:
        """Return the size of one public sample of the participant's kinds."""
        return self.source.layout(tuple(participant.allocation.modalities)).record_bytes
