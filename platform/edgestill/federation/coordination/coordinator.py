"""The round loop: allocate, pick, send, sum, step, evaluate, keep.

Flower's strategies are called by their hooks instead of ``Strategy.start``, which always begins at
round 1; so a run can be resumed from any round with the same result as an uninterrupted one.
"""

import logging
import math
import time

import numpy as np
from flwr.app import Message, MessageType, RecordDict
from flwr.serverapp import Grid
from numpy.typing import NDArray

from edgestill.allocation import Decision, RegistrySource
from edgestill.errors import RunError
from edgestill.federation.aggregation.collect import Collected
from edgestill.federation.aggregation.strategies import (
    aggregate_each,
    aggregate_sum,
    make_strategy,
    reply_mode,
)
from edgestill.federation.buffered.rounds import BufferedRounds
from edgestill.federation.coordination.checkpoint import Checkpoint
from edgestill.federation.coordination.conditions import Conditions
from edgestill.federation.coordination.exports import (
    export_decision,
    export_privacy,
    export_signals,
    export_vitals,
)
from edgestill.federation.coordination.forecasting import Forecaster
from edgestill.federation.coordination.ledger import RoundBooks
from edgestill.federation.coordination.reception import Reception
from edgestill.federation.coordination.run_state import (
    Part,
    RunState,
    from_checkpoint,
    to_checkpoint,
)
from edgestill.federation.coordination.surroundings import Surroundings
from edgestill.federation.device.kept import check_resumable
from edgestill.federation.device.own_eyes import from_metrics, with_eyes
from edgestill.federation.local_grid import FleetGrid
from edgestill.federation.roster.chooser import Chooser
from edgestill.federation.roster.hello import members_of
from edgestill.federation.rounds.outgoing import Dispatcher
from edgestill.federation.rounds.played import Played
from edgestill.federation.rounds.synchronous import SynchronousRounds
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
        self.members = members_of(grid, self._config.fleet.devices)
        self._reception = Reception(grid, surroundings, self.members, self._fleet)
        self._chooser = Chooser(self._config, self._fleet)
        self._rounds = self._make_rounds()
        self._parts: dict[str, Part] = {"chooser": self._chooser, "rounds": self._rounds}
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
            check_resumable(self._config.training)
            self.state = from_checkpoint(
                resume_from, self._fleet, self._strategy, store, self.members, self._parts
            )
        if not isinstance(self._grid, FleetGrid):
            self._reception.meet()
        if self._config.allocation.policy in FORESEEING:
            self._reception.greet(self._fleet.panel())
            self._forecaster = Forecaster(self._world, self._around.source, self.members)
        while self.state.round_number < self._config.federation.rounds:
            with log_fields(round_number=self.state.round_number + 1):
                self._play(self.state.round_number + 1)
                if self._around.checkpoints is not None:
                    store.inc("edgestill_checkpoints_total")
                    kept = to_checkpoint(
                        self.state, self._fleet, self._strategy, store, self.members, self._parts
                    )
                    self._around.checkpoints.save(kept)
        return self.state

    def _make_rounds(self) -> SynchronousRounds | BufferedRounds:
        """Return what trains the rounds in the configured mode."""
        federation = self._config.federation
        dispatcher = Dispatcher(
            world=self._world,
            source=self._around.source,
            strategy=self._strategy,
            reduce=reply_mode(federation),
            knowledge_at_fog=self._around.knowledge_at_fog,
        )
        kind = BufferedRounds if federation.mode == "buffered" else SynchronousRounds
        return kind(
            grid=self._grid,
            dispatcher=dispatcher,
            fleet=self._fleet,
            members=self.members,
            chooser=self._chooser,
            greet=self._reception.greet,
            started=self._around.observer.round_started,
        )

    def _play(self, round_number: int) -> None:
        started = time.perf_counter()
        self._reception.forget()
        decision = self._decide(round_number)
        played = self._rounds.play(round_number, decision.allocations, self.state.arrays)
        collected, duration_s = played.collected, self._take(round_number, played)
        for device in with_eyes(collected.figures):
            if (vitals := from_metrics(device, collected.figures[device])) is not None:
                self._fleet.report(device, vitals)
        pause_s = max(duration_s, self._config.federation.interval_s)
        self._fleet.advance(pause_s, self._energy_j(collected))
        books = RoundBooks(
            round_number=round_number,
            participants=played.participants,
            collected=collected,
            decision=decision,
            score=self._score(round_number),
            duration_s=duration_s,
            wall_s=time.perf_counter() - started,
            time_s=self._fleet.time_s,
            fleet=self._fleet,
            buffer=played.buffer,
        )
        self._chooser.learn(round_number, books.devices, collected.figures)
        if self._forecaster is not None:
            self.state.experience = self._forecaster.learn(
                self.state.experience,
                decision,
                books.by_group,
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
            summaries=self.members.summaries > 0,
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

    def _take(self, round_number: int, played: Played) -> float:
        """Take the server's step from what came back; give the virtual time that it took."""
        self.state.selected_classes += played.class_counts
        if not played.participants:
            unanswered = self._reception.unanswered
            if unanswered.reason:
                raise RunError(
                    f"round {round_number}: none of {unanswered.asked} devices answered: "
                    f"{unanswered.reason}"
                )
            log.warning("no device can take part; waiting %.0f virtual s", IDLE_WAIT_S)
            return IDLE_WAIT_S
        if not len(played.collected.figures):
            raise RunError(
                f"round {round_number}: all {len(played.participants)} devices failed; the first: "
                f"{played.collected.first_failure}"
            )
        request = Message(RecordDict(), played.participants[0].node_id, MessageType.TRAIN)
        self._step(round_number, played.collected, request)
        return played.duration_s

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
        energy_j[collected.figures.devices] = collected.figures.column("energy-j")
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
