"""The round loop: allocate, pick, send, sum, step, evaluate, keep.

Flower's strategies are called by their hooks instead of ``Strategy.start``, which always begins at
round 1; so a run can be resumed from any round with the same result as an uninterrupted one.
"""

import logging
import math
import time

import numpy as np
from flwr.app import Message
from flwr.serverapp import Grid
from numpy.typing import NDArray

from edgestill.allocation import Decision, RegistrySource
from edgestill.errors import RunError
from edgestill.federation.checkpoint import Checkpoint
from edgestill.federation.collect import Collected, collect
from edgestill.federation.conditions import Conditions
from edgestill.federation.exports import (
    export_decision,
    export_hello,
    export_privacy,
    export_signals,
    export_vitals,
)
from edgestill.federation.forecasting import Forecaster
from edgestill.federation.hello import say_hello
from edgestill.federation.ledger import RoundBooks
from edgestill.federation.outgoing import Dispatcher
from edgestill.federation.own_eyes import from_metrics
from edgestill.federation.participants import Member, Pick, pick
from edgestill.federation.run_state import RunState, from_checkpoint, to_checkpoint
from edgestill.federation.strategies import (
    aggregate_each,
    aggregate_sum,
    make_strategy,
    reply_mode,
)
from edgestill.federation.surroundings import Surroundings
from edgestill.fleet import Fleet
from edgestill.models import load_arrays
from edgestill.seeds import derive_seed
from edgestill.telemetry import log_fields
from edgestill.training import Score, evaluate

log = logging.getLogger(__name__)

FORESEEING = ("priority", "predictive")
"""The policies that decide from forecasts."""

IDLE_WAIT_S = 60.0
"""Virtual time that passes when no device can take part."""


class Coordinator:
    """Runs the rounds of one federation over a Flower grid.

    Attributes:
        state: after the last finished round.
        members: the devices that said hello.
    """

    def __init__(self, grid: Grid, surroundings: Surroundings) -> None:
        self._grid = grid
        self._around = surroundings
        self._world = surroundings.world
        self._config = surroundings.world.config
        # The world is shared by all runs of its configuration in this process; time is this run's.
        self._fleet = Fleet(self._config.fleet, self._config.seed)
        self._signals = surroundings.signals or RegistrySource(
            store=surroundings.store,
            groups=[group.name for group in self._config.fleet.groups],
        )
        self._conditions = Conditions()
        self._forecaster: Forecaster | None = None
        self._strategy = make_strategy(self._config.federation)
        self._dispatcher = Dispatcher(
            world=self._world,
            source=surroundings.source,
            strategy=self._strategy,
            reduce=reply_mode(self._config.federation),
            knowledge_at_fog=surroundings.knowledge_at_fog,
        )
        self.members: dict[int, Member] = {}
        self.state = RunState(
            arrays=self._world.family.initial_arrays(derive_seed(self._config.seed, "student")),
            selected_classes=np.zeros(self._world.dataset.classes, np.int64),
        )

    def run(self, resume_from: Checkpoint | None = None) -> RunState:
        """Run from the first round, or from the one after a checkpoint, to the last.

        Raises:
            RunError: no device answered, or every device of a round failed.
        """
        store = self._around.store
        if resume_from is not None:
            self.state = from_checkpoint(resume_from, self._fleet, self._strategy, store)
        projection = self._around.source.projection()
        self.members = say_hello(
            self._grid,
            projection,
            devices=self._config.fleet.devices,
            fingerprint=self._world.fingerprint,
            timeout_s=self._config.federation.timeout_s,
        )
        for device, member in self.members.items():
            if member.vitals is not None:
                self._fleet.report(device, member.vitals)
        if self._config.allocation.policy in FORESEEING:
            self._forecaster = Forecaster(self._world, self._around.source, self.members)
        if resume_from is None:
            export_hello(store, self._fleet, self.members, len(projection))
        while self.state.round_number < self._config.federation.rounds:
            with log_fields(round_number=self.state.round_number + 1):
                self._play(self.state.round_number + 1)
                if self._around.checkpoints is not None:
                    store.inc("edgestill_checkpoints_total")
                    kept = to_checkpoint(self.state, self._fleet, self._strategy, store)
                    self._around.checkpoints.save(kept)
        return self.state

    def _play(self, round_number: int) -> None:
        started = time.perf_counter()
        decision = self._decide(round_number)
        picked = pick(
            self._config.federation,
            self._fleet,
            self.members,
            decision.allocations,
            seed=self._config.seed,
            round_number=round_number,
        )
        self._around.observer.round_started(round_number, len(picked.participants))
        collected, duration_s = self._train(round_number, picked)
        for device, figures in collected.figures.items():
            if (vitals := from_metrics(device, figures)) is not None:
                self._fleet.report(device, vitals)
        pause_s = max(duration_s, self._config.federation.interval_s)
        self._fleet.advance(pause_s, self._energy_j(collected))
        books = RoundBooks(
            round_number=round_number,
            participants=picked.participants,
            collected=collected,
            decision=decision,
            score=self._score(round_number),
            duration_s=duration_s,
            wall_s=time.perf_counter() - started,
            time_s=self._fleet.time_s,
            group_of={p.device: self._fleet.group_of(p.device) for p in picked.participants},
        )
        if self._forecaster is not None:
            self.state.experience = self._forecaster.learn(
                self.state.experience,
                decision,
                books.figures_by_group(),
                self._score(round_number, "validation").loss,
            )
        self._enter(books)

    def _enter(self, books: RoundBooks) -> None:
        """Put a finished round into the metrics, the log and the report."""
        store = self._around.store
        books.export(store, self._config.knowledge.selection)
        export_privacy(
            store,
            self._config,
            summaries=any(member.summary_bytes for member in self.members.values()),
            rounds=books.round_number,
        )
        row = books.row()
        with log_fields(stage="round"):
            log.info(
                "%d of %d devices, accuracy %.4f",
                row["completed"],
                row["selected"],
                row["accuracy"],
            )
        self.state.rows.append(row)
        self.state.round_number = books.round_number
        self._around.observer.round_ended(row)

    def _decide(self, round_number: int) -> Decision:
        store = self._around.store
        store.set("edgestill_round_started_timestamp_seconds", time.time())
        export_vitals(store, self._fleet, self._config.telemetry.max_device_series)
        self._around.observer.vitals_exported()
        snapshot = self._signals.read(round_number, self._fleet.time_s)
        if self._forecaster is not None:
            snapshot = self._forecaster.with_forecasts(snapshot, self.state.experience)
        decision = self._around.decide(
            self._config.allocation, self._world.dataset.kinds, snapshot, self.state.decision
        )
        export_signals(store, snapshot)
        export_decision(store, decision)
        self._conditions.note(snapshot, decision)
        self.state.decision = decision
        for group in decision.changed:
            level = decision.allocations[group].level.value
            with log_fields(stage="allocate"):
                log.info("%s goes to %s: %s", group, level, decision.reasons[group])
        return decision

    def _train(self, round_number: int, picked: Pick) -> tuple[Collected, float]:
        """Send, collect and step; give what came back and the virtual time that it took."""
        if not picked.participants:
            log.warning("no device can take part; waiting %.0f virtual s", IDLE_WAIT_S)
            return collect([], {}, shapes={}, fingerprint=0), IDLE_WAIT_S
        outgoing = self._dispatcher.outgoing(
            round_number, picked, self.members, self.state.arrays, self._grid
        )
        for selection in outgoing.selections:
            self.state.selected_classes += selection.class_counts
        replies = self._grid.send_and_receive(
            outgoing.messages, timeout=self._config.federation.timeout_s
        )
        collected = collect(
            replies,
            {p.node_id: p.device for p in picked.participants},
            shapes={name: array.shape for name, array in self.state.arrays.items()},
            fingerprint=self._world.fingerprint,
        )
        if not collected.figures:
            raise RunError(
                f"round {round_number}: all {len(picked.participants)} devices failed; the first: "
                f"{collected.first_failure}"
            )
        self._step(round_number, collected, outgoing.messages[0])
        return collected, _duration_s(collected, outgoing.closes_after_s)

    def _step(self, round_number: int, collected: Collected, request: Message) -> None:
        current = self.state.arrays
        if collected.total is not None:
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

    def _score(self, round_number: int, split: str = "test") -> Score:
        module = self._world.family.module(1.0)
        load_arrays(module, self.state.arrays)
        dataset = self._world.dataset
        everything = dict.fromkeys(dataset.kinds, 1.0)
        score = evaluate(module, dataset, dataset.splits[split], everything)
        if not math.isfinite(score.loss):
            raise RunError(
                f"round {round_number}: the global model diverged (loss {score.loss}); "
                "lower training.learning_rate or privacy.update_clip_norm"
            )
        return score


def _duration_s(collected: Collected, closes_after_s: float) -> float:
    """Return when the last answer came, or when the round closed."""
    slowest = max((figures["total-s"] for figures in collected.figures.values()), default=0.0)
    return slowest if math.isinf(closes_after_s) else min(slowest, closes_after_s)
