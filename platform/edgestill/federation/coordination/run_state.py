"""What changes from round to round, and how it goes into a checkpoint and comes back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from flwr.serverapp.strategy import FedAvg
from numpy.typing import NDArray

from edgestill.allocation import Decision, Experience
from edgestill.federation.aggregation.strategies import optimizer_state, restore_optimizer_state
from edgestill.federation.coordination.checkpoint import Checkpoint
from edgestill.federation.roster.members import Members
from edgestill.fleet import Fleet
from edgestill.models import Arrays
from edgestill.telemetry import MetricStore


@dataclass(slots=True, kw_only=True)
class RunState:
    """The state of a federation after a round.

    Attributes:
        arrays: the global model.
        round_number: the last finished round, 0 before the first.
        decision: the allocator's last.
        experience: what the allocator has learned of the groups.
        rows: of the report, one for each finished round.
        selected_classes: [K], how many public samples of each class were selected so far.
    """

    arrays: Arrays
    selected_classes: NDArray[np.int64]
    round_number: int = 0
    decision: Decision | None = None
    experience: Experience = field(default_factory=Experience.first)
    rows: list[dict[str, Any]] = field(default_factory=list)


class Part(Protocol):
    """Something else that changes from round to round."""

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays and plain values."""

    def restore(self, arrays: Mapping[str, NDArray[Any]], plain: Mapping[str, Any]) -> None:
        """Put back what :meth:`state` gave."""


def to_checkpoint(
    state: RunState,
    fleet: Fleet,
    strategy: FedAvg,
    store: MetricStore,
    members: Members,
    parts: Mapping[str, Part],
) -> Checkpoint:
    """Return everything that the next round depends on; parts are kept under their names."""
    held = {name: part.state() for name, part in parts.items()}
    return Checkpoint(
        round_number=state.round_number,
        arrays={
            **_under("model", state.arrays),
            **_under("fleet", fleet.state()),
            **_under("members", members.state()),
            **_under("strategy", optimizer_state(strategy)),
            **{
                key: array
                for name, (arrays, _) in held.items()
                for key, array in _under(name, arrays).items()
            },
        },
        plain={
            "rows": state.rows,
            "decision": None if state.decision is None else state.decision.to_plain(),
            "experience": state.experience.to_plain(),
            "selected_classes": state.selected_classes.tolist(),
            "store": store.state(),
            "parts": {name: plain for name, (_, plain) in held.items()},
        },
    )


def from_checkpoint(
    checkpoint: Checkpoint,
    fleet: Fleet,
    strategy: FedAvg,
    store: MetricStore,
    members: Members,
    parts: Mapping[str, Part],
) -> RunState:
    """Return the state of a checkpoint, and put everything else back to where it was."""
    plain = checkpoint.plain
    fleet.restore(_below("fleet", checkpoint.arrays))
    members.restore(_below("members", checkpoint.arrays))
    restore_optimizer_state(strategy, _below("strategy", checkpoint.arrays))
    store.restore(plain["store"])
    for name, part in parts.items():
        part.restore(_below(name, checkpoint.arrays), plain["parts"][name])
    return RunState(
        arrays=model_of(checkpoint),
        round_number=checkpoint.round_number,
        decision=None if plain["decision"] is None else Decision.from_plain(plain["decision"]),
        experience=Experience.from_plain(plain["experience"]),
        rows=list(plain["rows"]),
        selected_classes=np.array(plain["selected_classes"], np.int64),
    )


def model_of(checkpoint: Checkpoint) -> Arrays:
    """Return the global model of a checkpoint, without taking the run up."""
    return _below("model", checkpoint.arrays)


def _under(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def _below(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    start = f"{prefix}/"
    return {n.removeprefix(start): array for n, array in arrays.items() if n.startswith(start)}
