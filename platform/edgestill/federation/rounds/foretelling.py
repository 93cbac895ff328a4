"""Who will have answered when: the plans of many devices at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgestill.federation.device.plan import plan
from edgestill.federation.roster.members import Members
from edgestill.federation.roster.participants import Participant
from edgestill.federation.rounds.dispatch import ModelFrames
from edgestill.federation.sources import KnowledgeSource
from edgestill.federation.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Foretelling:
    """Foretells what a round takes of its participants, as these will plan it themselves."""

    world: World
    source: KnowledgeSource
    frames: ModelFrames

    def total_s(self, participants: Sequence[Participant], members: Members) -> NDArray[np.float64]:
        """Return the virtual seconds that each participant will take [n]."""
        knowledge = self.world.config.knowledge
        samples = 0 if knowledge.selection == "none" else knowledge.samples_per_round
        totals = []
        for one in participants:
            record_bytes = self._record_bytes(one) if samples else 0
            foretold = plan(
                self.world,
                one.device,
                one.allocation,
                one.vitals,
                model_bytes=self.frames.size_bytes(one.allocation),
                knowledge_bytes=samples * record_bytes,
                knowledge_samples=samples,
            )
            totals.append(foretold.spent.total_s)
        return np.array(totals)

    def _record_bytes(self, participant: Participant) -> int:
        """Return the size of one public sample of the participant's kinds."""
        return self.source.layout(tuple(participant.allocation.modalities)).record_bytes
