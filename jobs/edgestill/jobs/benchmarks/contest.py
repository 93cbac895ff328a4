"""The allocator's contest: one fleet under rising and falling load, one run for each policy."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from edgestill.allocation import Decision, Level, Snapshot, allocation_of, decide
from edgestill.config import AllocationConfig
from edgestill.errors import RunError
from edgestill.federation import (
    BankSource,
    Coordinator,
    LocalGrid,
    Surroundings,
    Taught,
    World,
    load_taught,
    make_client_app,
    save_taught,
    teach,
    world_of,
)
from edgestill.jobs.benchmarks.scenario import NAMES, Scenario
from edgestill.seeds import generator
from edgestill.telemetry import MetricStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """A policy under a seed."""

    name: str
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run went.

    Attributes:
        accuracy: on test data after the last round within both time and energy.
        rounds_within: how many rounds these were.
        accuracy_in_time: after the last round, whatever it took.
        energy_j: of all rounds.
        asked: devices asked, over all rounds.
        missed: how many of them missed the deadline.
        accuracies: on test data after each round.
        energies_j: of each round.
        foretold_error: mean relative error of the foretold times, None if none were.
    """

    name: str
    seed: int
    accuracy: float
    rounds_within: int
    accuracy_in_time: float
    energy_j: float
    asked: int
    missed: int
    accuracies: Sequence[float]
    energies_j: Sequence[float]
    foretold_error: float | None

    def to_plain(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def teach_once(scenario: Scenario, folder: Path) -> float:
    """Train the teacher that all contestants share and return its accuracy on test data."""
    torch.set_num_threads(1)
    world = world_of(scenario.config(NAMES[0], scenario.seeds[0]))
    lessons = teach(world)
    while True:
        try:
            next(lessons)
        except StopIteration as end:
            taught: Taught = end.value
            break
    save_taught(taught, folder)
    return float(taught.report["accuracy"])


def begin_process() -> None:
    """Set up a process in which nothing but contestants run: one torch thread, errors only."""
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)


def compete(scenario: Scenario, contestant: Contestant, folder: Path) -> Outcome:
    """Run one contestant in this process.

    Raises:
        RunError: the teacher's bank is not there, or all devices of a round failed.
    """
    config = scenario.config(contestant.name, contestant.seed)
    world = world_of(config)
    taught = load_taught(world, folder)
    if taught is None:
        raise RunError(f"{folder}: no teacher there")
    coordinator = Coordinator(
        LocalGrid(make_client_app(config), config.fleet.devices),
        _surroundings(world, taught, contestant),
    )
    return outcome_of(scenario, contestant, coordinator.run().rows)


def outcome_of(
    scenario: Scenario, contestant: Contestant, rows: Sequence[Mapping[str, Any]]
) -> Outcome:
    """Return the outcome from a run's rows."""
    energies_j = [float(row["energy_j"]) for row in rows]
    within = 0
    while within < len(rows) and sum(energies_j[: within + 1]) <= scenario.energy_j:
        within += 1
    accuracies = [float(row["accuracy"]) for row in rows]
    errors = [
        abs(one["seen_duration_s"] / one["duration_s"] - 1.0)
        for row in rows
        for one in row["foretold"].values()
    ]
    return Outcome(
        name=contestant.name,
        seed=contestant.seed,
        accuracy=accuracies[within - 1] if within else 0.0,
        rounds_within=within,
        accuracy_in_time=accuracies[-1],
        energy_j=sum(energies_j),
        asked=sum(row["selected"] for row in rows),
        missed=sum(row["late"] for row in rows),
        accuracies=accuracies,
        energies_j=energies_j,
        foretold_error=sum(errors) / len(errors) if errors else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomChoice:
    """A level for each group and round by lot."""

    seed: int

    def __call__(
        self,
        config: AllocationConfig,
        kinds: Sequence[str],
        snapshot: Snapshot,
        previous: Decision | None,
    ) -> Decision:
        """Return the lots of a round."""
        decision = decide(config, kinds, snapshot, previous)
        rng = generator(self.seed, "random-policy", round_number=snapshot.round_number)
        levels = list(Level)
        drawn = {group: levels[rng.integers(len(levels))] for group in decision.allocations}
        return replace(
            decision,
            allocations={g: allocation_of(config.levels, one, kinds) for g, one in drawn.items()},
            reasons=dict.fromkeys(drawn, "by lot"),
            changed=(),
        )


class _Unwatched:
    """Watches nothing."""

    def vitals_exported(self) -> None:
        """Nothing to show."""

    def round_started(self, round_number: int, participants: int) -> None:
        """Nothing to show."""

    def round_ended(self, row: Mapping[str, Any]) -> None:
        """Nothing to show."""


def _surroundings(world: World, taught: Taught, contestant: Contestant) -> Surroundings:
    choose = RandomChoice(seed=contestant.seed) if contestant.name == "random" else decide
    return Surroundings(
        world=world,
        source=BankSource(taught.bank, world.config.knowledge, world.fingerprint),
        store=MetricStore(),
        observer=_Unwatched(),
        decide=choose,
    )
