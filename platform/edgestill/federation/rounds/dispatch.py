"""One train message for each participant: Flower's strategy makes it, the allocation fills it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flwr.app import ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.serverapp.strategy import FedAvg

from edgestill.allocation import Allocation
from edgestill.codec import encode_arrays
from edgestill.federation.device.kept import shared_shapes
from edgestill.federation.messages import (
    ALLOCATION,
    CONFIG,
    FRAME,
    KNOWLEDGE,
    MODEL,
    SELECTION,
    TASK,
    VITALS,
    vitals_record,
)
from edgestill.federation.roster.participants import Participant
from edgestill.federation.sources import KnowledgeSource, Selection
from edgestill.federation.world import World
from edgestill.models import Arrays, leading_block


class SelectedNodes:
    """What a strategy sees of the grid: only the nodes that were picked."""

    def __init__(self, node_ids: Sequence[int]) -> None:
        self._node_ids = list(node_ids)

    def get_node_ids(self) -> list[int]:
        """Return the picked nodes."""
        return self._node_ids


@dataclass(slots=True)
class ModelFrames:
    """The global model, coded once for each block that some allocation asks for."""

    world: World
    arrays: Arrays
    _records: dict[tuple[tuple[tuple[str, float], ...], float], ConfigRecord] = field(
        default_factory=dict
    )

    def record(self, allocation: Allocation) -> ConfigRecord:
        """Return the record for an allocation; the same object for the same block."""
        key = (tuple(sorted(allocation.modalities.items())), allocation.width)
        if key not in self._records:
            variant = self.world.family.variant(allocation.modalities, allocation.width)
            frame = encode_arrays(
                leading_block(
                    self.arrays, shared_shapes(self.world.config.training, variant.shapes)
                ),
                bits=self.world.config.federation.downlink_bits,
                fingerprint=self.world.fingerprint,
            )
            self._records[key] = ConfigRecord({FRAME: frame})
        return self._records[key]

    def size_bytes(self, allocation: Allocation) -> int:
        """Return the length of the frame for an allocation."""
        frame = self.record(allocation)[FRAME]
        return len(frame) if isinstance(frame, bytes) else 0


def strategy_messages(
    strategy: FedAvg, round_number: int, arrays: ArrayRecord, node_ids: Sequence[int]
) -> list[Message]:
    """Let a strategy configure a round and return its message to each node, in their order.

    Flower's strategies also keep what they need of the global arrays here (FedAdam, FedYogi).
    """
    view = SelectedNodes(node_ids)
    messages = strategy.configure_train(round_number, arrays, ConfigRecord(), view)  # type: ignore[arg-type]
    by_node = {message.metadata.dst_node_id: message for message in messages}
    return [by_node[node_id] for node_id in node_ids]


@dataclass(slots=True, kw_only=True)
class TrainMessages:
    """Fills the messages of one round; what several devices get is made once and shared.

    Attributes:
        frames: the model.
        task: what is the same for all.
    """

    frames: ModelFrames
    task: ConfigRecord
    _held: dict[int, tuple[Allocation, ConfigRecord, ConfigRecord]] = field(default_factory=dict)

    def fill(
        self, message: Message, participant: Participant, knowledge: Mapping[str, ConfigRecord]
    ) -> Message:
        """Put what one participant gets in the place of the strategy's arrays."""
        model, allocation = self._records(participant.allocation)
        message.content = RecordDict(
            {
                CONFIG: message.content[CONFIG],
                TASK: self.task,
                MODEL: model,
                ALLOCATION: allocation,
                VITALS: vitals_record(participant.vitals),
                **knowledge,
            }
        )
        return message

    def _records(self, allocation: Allocation) -> tuple[ConfigRecord, ConfigRecord]:
        # A group's devices have the same object; what holds it keeps its identity.
        held = self._held.get(id(allocation))
        if held is None:
            record = ConfigRecord(allocation.to_record())
            held = (allocation, self.frames.record(allocation), record)
            self._held[id(allocation)] = held
        return held[1], held[2]


def knowledge_records(
    source: KnowledgeSource, selection: Selection, allocation: Allocation, *, at_fog: bool
) -> dict[str, ConfigRecord]:
    """Return the record that brings knowledge: positions where a fog fills it in, else bytes."""
    positions, relevance = selection.positions.tolist(), selection.relevance
    if not positions:
        return {}
    kinds = tuple(allocation.modalities)
    if at_fog:
        record = ConfigRecord({"positions": positions, "kinds": list(kinds)})
        if relevance is not None:
            record["relevance"] = relevance.tobytes()
        if selection.lower_rate:
            record["lower-rate"] = True
        return {SELECTION: record}
    frame = source.layout(kinds).join(
        source.records(positions, kinds), relevance, lower_rate=selection.lower_rate
    )
    return {KNOWLEDGE: ConfigRecord({FRAME: frame})}
