"""One train message for each participant: Flower's strategy makes it, the allocation fills it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flwr.app import ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg

from edgestill.allocation import Allocation
from edgestill.codec import encode_arrays
from edgestill.federation.messages import (
    CONFIG,
    FRAME,
    KNOWLEDGE,
    MODEL,
    SELECTION,
    Reduce,
    task_records,
)
from edgestill.federation.participants import Participant
from edgestill.federation.sources import KnowledgeSource, Positions
from edgestill.federation.strategies import array_record
from edgestill.federation.world import World
from edgestill.models import Arrays, leading_block

DOWNLINK_BITS = 16
"""The model goes down as float16; an allocation's bits are those of the update that comes up."""


class SelectedNodes:
    """A view of a grid that shows a strategy only the nodes that were picked."""

    def __init__(self, grid: Grid, node_ids: Sequence[int]) -> None:
        self._grid = grid
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
                leading_block(self.arrays, variant.shapes),
                bits=DOWNLINK_BITS,
                fingerprint=self.world.fingerprint,
            )
            self._records[key] = ConfigRecord({FRAME: frame})
        return self._records[key]

    def size_bytes(self, allocation: Allocation) -> int:
        """Return the length of the frame for an allocation."""
        frame = self.record(allocation)[FRAME]
        return len(frame) if isinstance(frame, bytes) else 0


def strategy_config(
    strategy: FedAvg, round_number: int, arrays: Arrays, grid: Grid, node_ids: Sequence[int]
) -> Mapping[int, ConfigRecord]:
    """Let a strategy configure a round and return its configuration by node.

    Flower's strategies also keep what they need of the global arrays here (FedAdam, FedYogi).
    """
    view = SelectedNodes(grid, node_ids)
    record = array_record(arrays)
    messages = strategy.configure_train(round_number, record, ConfigRecord(), view)  # type: ignore[arg-type]
    return {
        message.metadata.dst_node_id: message.content.config_records[CONFIG] for message in messages
    }


def train_message(
    participant: Participant,
    config: ConfigRecord,
    model: ConfigRecord,
    knowledge: Mapping[str, ConfigRecord],
    *,
    round_number: int,
    closes_after_s: float,
    reduce: Reduce,
    knowledge_fingerprint: int,
) -> Message:
    """Return the message of one participant; records that are shared stay shared."""
    own = task_records(
        participant.allocation,
        participant.vitals,
        closes_after_s=closes_after_s,
        reduce=reduce,
        knowledge_fingerprint=knowledge_fingerprint,
    )
    content = RecordDict({CONFIG: config, MODEL: model, **own, **knowledge})
    return Message(content, participant.node_id, "train", group_id=str(round_number))


def knowledge_records(
    source: KnowledgeSource, positions: Positions, allocation: Allocation, *, at_fog: bool
) -> dict[str, ConfigRecord]:
    """Return the record that brings knowledge: positions where a fog fills it in, else bytes."""
    if len(positions) == 0:
        return {}
    kinds = tuple(allocation.modalities)
    if at_fog:
        record = ConfigRecord({"positions": positions.tolist(), "kinds": list(kinds)})
        return {SELECTION: record}
    frame = source.layout(kinds).join(source.records(positions.tolist(), kinds))
    return {KNOWLEDGE: ConfigRecord({FRAME: frame})}
