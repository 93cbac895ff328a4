"""The round loop: allocate, pick, send, sum, step, evaluate, keep.

Flower's strategies are called by their hooks instead of ``Strategy.start``, which always begins at
round 1; so a run can be resumed from any round with the same result as an uninterrupted one.
"""

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from flwr.app import Message
from flwr.serverapp import Grid
from numpy.typing import NDArray

from edgestill.allocation import Decision, RegistrySource, SignalSource, decide
from edgestill.errors import RunError
from edgestill.federation.checkpoint import Checkpoint, CheckpointFolder
from edgestill.federation.collect import Collected, collect
from edgestill.federation.device import plan
from edgestill.federation.dispatch import (
    ModelFrames,
    knowledge_records,
    strategy_config,
    train_message,
)
from edgestill.federation.hello import say_hello
from edgestill.federation.ledger import RoundBooks, export_decision, export_groups
from edgestill.federation.participants import Member, Participant, Pick, closing_time_s, pick
from edgestill.federation.sources import KnowledgeSource, Selection, SelectionRequest
from edgestill.federation.strategies import (
    aggregate_each,
    aggregate_sum,
    make_strategy,
    optimizer_state,
    reply_mode,
    restore_optimizer_state,
)
from edgestill.federation.world import World
from edgestill.models import Arrays, load_arrays
from edgestill.seeds import derive_seed
from edgestill.telemetry import MetricStore
from edgestill.training import Score, evaluate

log = logging.getLogger(__name__)

IDLE_WAIT_S = 60.0
"""Virtual time that passes when no device can take part."""


class Observer(Protocol):
    """Who watches a run."""

    def round_started(self, round_number: int, participants: int) -> None:
        """A round's messages are about to be sent."""

    def round_ended(self, row: Mapping[str, Any]) -> None:
        """A round is over; ``row`` is its row of the report."""


@dataclass(slots=True, kw_only=True)
class RunState:
    """What changes from round to round."""

    arrays: Arrays
    round_number: int = 0
    decision: Decision | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    selected_classes: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a coordinator works with.

    Attributes:
        knowledge_at_fog: whether the grid's fogs fill in knowledge by position.
        signals: where the allocator's signals come from; the store itself by default.
        checkpoints: where to keep the state; None keeps nothing.
    """

    world: World
    source: KnowledgeSource
    store: MetricStore
    observer: Observer
    checkpoints: CheckpointFolder | None = None
    knowledge_at_fog: bool = False
    signals: SignalSource | None = None


class Coordinator:
    """Runs the rounds of one federation over a Flower grid."""

    def __init__(self, grid: Grid, surroundings: Surroundings) -> None:
        self._grid = grid
        self._world = surroundings.world
        self._config = surroundings.world.config
        self._around = surroundings
        self._fleet = self._world.fleet
        groups = [group.name for group in self._config.fleet.groups]
        self._signals = surroundings.signals or RegistrySource(
            store=surroundings.store, groups=groups
        )
        self._strategy = make_strategy(self._config.federation)
        self._reduce = reply_mode(self._config.federation)
        self._members: dict[int, Member] = {}
        self.state = RunState(
            arrays=self._world.family.initial_arrays(derive_seed(self._config.seed, "student")),
            selected_classes=np.zeros(self._world.dataset.classes, np.int64),
        )

    @property
    def members(self) -> Mapping[int, Member]:
        """The devices that said hello."""
        return self._members

    def run(self, resume_from: Checkpoint | None = None) -> RunState:
        """Run from the first round, or from the one after a checkpoint, to the last.

        Raises:
            RunError: no device answered, or every device of a round failed.
        """
        if resume_from is not None:
            self._restore(resume_from)
        self._members = say_hello(
            self._grid,
            self._around.source.projection(),
            fingerprint=self._world.fingerprint,
            timeout_s=self._config.federation.timeout_s,
        )
        while self.state.round_number < self._config.federation.rounds:
            self._play(self.state.round_number + 1)
            if self._around.checkpoints is not None:
                self._around.checkpoints.save(self._checkpoint())
                self._around.store.inc("edgestill_checkpoints_total")
        return self.state

    def _play(self, round_number: int) -> None:
        started = time.perf_counter()
        decision = self._decide(round_number)
        picked = pick(
            self._config.federation,
            self._fleet,
            self._members,
            decision.allocations,
            seed=self._config.seed,
            round_number=round_number,
        )
        self._around.observer.round_started(round_number, len(picked.participants))
        collected, duration_s = self._train(round_number, picked)
        self._fleet.advance(duration_s, self._energy_j(collected))
        books = RoundBooks(
            round_number=round_number,
            participants=picked.participants,
            collected=collected,
            decision=decision,
            score=self._score(),
            duration_s=duration_s,
            wall_s=time.perf_counter() - started,
            time_s=self._fleet.time_s,
            group_of={p.device: self._fleet.group_of(p.device) for p in picked.participants},
        )
        books.export(self._around.store, self._config.knowledge.selection)
        self.state.rows.append(books.row())
        self.state.round_number = round_number
        self._around.observer.round_ended(self.state.rows[-1])

    def _decide(self, round_number: int) -> Decision:
        now_s = self._fleet.time_s
        store = self._around.store
        export_groups(store, self._fleet, self._fleet.group_means(now_s))
        snapshot = self._signals.read(round_number, now_s)
        decision = decide(
            self._config.allocation, self._world.dataset.kinds, snapshot, self.state.decision
        )
        export_decision(store, decision)
        self.state.decision = decision
        for group in decision.changed:
            log.info(
                "%s goes to %s: %s",
                group,
                decision.allocations[group].level.value,
                decision.reasons[group],
                extra={"round": round_number, "stage": "allocate"},
            )
        return decision

    def _train(self, round_number: int, picked: Pick) -> tuple[Collected, float]:
        """Send, collect and step; give what came back and the virtual time that it took."""
        if not picked.participants:
            log.warning("no device can take part", extra={"round": round_number, "stage": "pick"})
            return collect([], {}, fingerprint=0, round_number=round_number), IDLE_WAIT_S
        selections = self._select(round_number, picked)
        messages, closes_after_s = self._messages(round_number, picked, selections)
        replies = self._grid.send_and_receive(messages, timeout=self._config.federation.timeout_s)
        collected = collect(
            replies,
            {p.node_id: p.device for p in picked.participants},
            fingerprint=self._world.fingerprint,
            round_number=round_number,
        )
        missing = len(picked.participants) - len(collected.figures) - collected.failures.total()
        if missing:
            collected.failures["NoReply"] += missing
        if not collected.figures:
            raise RunError(
                f"round {round_number}: all {len(picked.participants)} devices failed; the first: "
                f"{collected.first_failure or 'no reply in time'}"
            )
        self._step(round_number, collected, messages[0])
        return collected, _duration_s(collected, closes_after_s)

    def _select(self, round_number: int, picked: Pick) -> list[Selection]:
        requests = [
            SelectionRequest(
                summary=self._members[participant.device].summary,
                seed=derive_seed(
                    self._config.seed,
                    "selection",
                    round_number=round_number,
                    device=participant.device,
                ),
            )
            for participant in picked.participants
        ]
        selections = self._around.source.select(requests)
        for selection in selections:
            self.state.selected_classes += selection.class_counts
        return selections

    def _messages(
        self, round_number: int, picked: Pick, selections: list[Selection]
    ) -> tuple[list[Message], float]:
        frames = ModelFrames(self._world, self.state.arrays)
        configs = strategy_config(
            self._strategy,
            round_number,
            self.state.arrays,
            self._grid,
            [participant.node_id for participant in picked.participants],
        )
        closes_after_s = self._closing_time_s(picked, frames)
        messages = [
            train_message(
                participant,
                configs[participant.node_id],
                frames.record(participant.allocation),
                knowledge_records(
                    self._around.source,
                    selection.positions,
                    participant.allocation,
                    at_fog=self._around.knowledge_at_fog,
                ),
                round_number=round_number,
                closes_after_s=closes_after_s,
                reduce=self._reduce,
                knowledge_fingerprint=self._around.source.fingerprint(),
            )
            for participant, selection in zip(picked.participants, selections, strict=True)
        ]
        return messages, closes_after_s

    def _closing_time_s(self, picked: Pick, frames: ModelFrames) -> float:
        knowledge = self._config.knowledge
        samples = 0 if knowledge.selection == "none" else knowledge.samples_per_round

        def foretold_s(participant: Participant) -> float:
            foretold = plan(
                self._world,
                participant.device,
                participant.allocation,
                participant.vitals,
                model_bytes=frames.size_bytes(participant.allocation),
                knowledge_bytes=samples * self._record_bytes(participant) if samples else 0,
                knowledge_samples=samples,
            )
            return foretold.spent.total_s

        return closing_time_s(self._config.federation, picked, foretold_s)

    def _record_bytes(self, participant: Participant) -> int:
        """Return the size of one public sample of the participant's kinds."""
        layout = self._around.source.layout(tuple(participant.allocation.modalities))
        return layout.record_bytes

    def _step(self, round_number: int, collected: Collected, request: Message) -> None:
        current = self.state.arrays
        if self._reduce == "sum" and collected.total is not None:
            self.state.arrays = aggregate_sum(
                self._strategy, round_number, current, collected.total, request
            )
        elif collected.updates:
            self.state.arrays = aggregate_each(
                self._strategy, round_number, current, list(collected.updates.values()), request
            )

    def _energy_j(self, collected: Collected) -> NDArray[np.float64]:
        energy_j = np.zeros(self._fleet.size)
        for device, figures in collected.figures.items():
            energy_j[device] = figures["energy-j"]
        return energy_j

    def _score(self) -> Score:
        module = self._world.family.module(1.0)
        load_arrays(module, self.state.arrays)
        dataset = self._world.dataset
        return evaluate(module, dataset, dataset.splits["test"], dict.fromkeys(dataset.kinds, 1.0))

    def _checkpoint(self) -> Checkpoint:
        decision = self.state.decision
        return Checkpoint(
            round_number=self.state.round_number,
            arrays={
                **{f"model/{name}": array for name, array in self.state.arrays.items()},
                **{f"fleet/{name}": array for name, array in self._fleet.state().items()},
                **{f"strategy/{k}": v for k, v in optimizer_state(self._strategy).items()},
            },
            plain={
                "rows": self.state.rows,
                "decision": None if decision is None else decision.to_plain(),
                "selected_classes": self.state.selected_classes.tolist(),
                "store": self._around.store.state(),
            },
        )

    def _restore(self, checkpoint: Checkpoint) -> None:
        plain = checkpoint.plain
        self.state = RunState(
            arrays=_below("model", checkpoint.arrays),
            round_number=checkpoint.round_number,
            decision=None if plain["decision"] is None else Decision.from_plain(plain["decision"]),
            rows=list(plain["rows"]),
            selected_classes=np.array(plain["selected_classes"], np.int64),
        )
        self._fleet.restore(_below("fleet", checkpoint.arrays))
        restore_optimizer_state(self._strategy, _below("strategy", checkpoint.arrays))
        self._around.store.restore(plain["store"])


def _below(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the arrays under ``prefix/``, without it."""
    start = f"{prefix}/"
    return {n.removeprefix(start): array for n, array in arrays.items() if n.startswith(start)}


def _duration_s(collected: Collected, closes_after_s: float) -> float:
    """Return when the last answer came, or when the round closed."""
    slowest = max((figures["total-s"] for figures in collected.figures.values()), default=0.0)
    return slowest if math.isinf(closes_after_s) else min(slowest, closes_after_s)
