"""What a coordinator works with: the world, where knowledge and signals come from, who watches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edgestill.allocation import Decision, SignalSource, Snapshot, decide
from edgestill.config import AllocationConfig
from edgestill.federation.coordination.checkpoint import CheckpointFolder
from edgestill.federation.sources import KnowledgeSource
from edgestill.federation.world import World
from edgestill.telemetry import MetricStore


class Decide(Protocol):
    """Decides what every group may spend, as :func:`edgestill.allocation.decide` does."""

    def __call__(
        self,
        config: AllocationConfig,
        kinds: Sequence[str],
        snapshot: Snapshot,
        previous: Decision | None,
    ) -> Decision:
        """Return the decision for a snapshot; pure."""


class Observer(Protocol):
    """Who watches a run."""

    def vitals_exported(self) -> None:
        """The vitals of a round are in the metrics; the round is about to be decided from them."""

    def round_started(self, round_number: int, participants: int) -> None:
        """A round's messages are about to be sent."""

    def round_ended(self, row: Mapping[str, Any]) -> None:
        """A round is over; ``row`` is its row of the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a coordinator works with.

    Attributes:
        checkpoints: where to keep the state; None keeps nothing.
        knowledge_at_fog: whether the grid's fogs fill in knowledge by position.
        signals: where the allocator's signals come from; the store itself by default.
        decide: the allocator.
    """

    world: World
    source: KnowledgeSource
    store: MetricStore
    observer: Observer
    checkpoints: CheckpointFolder | None = None
    knowledge_at_fog: bool = False
    signals: SignalSource | None = None
    decide: Decide = decide
