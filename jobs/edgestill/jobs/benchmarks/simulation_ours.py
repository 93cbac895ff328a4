"""A program: one side of the contest, our fleet as a run has it, which plays in turns.

Usage: simulation_ours FOLDER [nudged], where ``config.yaml`` lies, and ``teacher`` if there is one.
A nudged side begins with another last bit in each number: the control of a comparison.
"""

import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import ray

from edgestill.actors import Pool, RayGrid, Teacher, TeacherSource, cluster, reserved, start_actor
from edgestill.config import RunConfig, load
from edgestill.federation import (
    Coordinator,
    KnowledgeSource,
    NoSource,
    Surroundings,
    World,
    make_client_app,
    world_of,
)
from edgestill.jobs.benchmarks.peers.app.digits8.turns import Turns, leave
from edgestill.jobs.benchmarks.simulation_models import PREFIX
from edgestill.models import Arrays
from edgestill.telemetry import MetricStore

FARTHEST = np.array([-np.inf, np.inf], np.float32)


class InTurns:
    """Waits for the turn before each round and tells its figures after it."""

    def __init__(self, rounds: int) -> None:
        self._rounds = rounds
        self._turns = Turns()

    def begin(self) -> None:
        """Wait for the first turn."""
        self._turns.wait()

    def vitals_exported(self) -> None:
        """Nothing to do: nobody scrapes."""

    def round_started(self, round_number: int, participants: int) -> None:
        """Nothing to do."""

    def round_ended(self, row: Mapping[str, Any]) -> None:
        """Tell the round's figures; the rows after the last round have no turn."""
        self._turns.played(
            round=row["round"],
            lost=row["selected"] - row["completed"] - row["late"] - row["skipped"],
            fitted=row["completed"],
            accuracy=row["accuracy"],
        )
        if row["round"] < self._rounds:
            self._turns.wait()


def plain_names(arrays: Arrays) -> Arrays:
    """Return arrays by the names that the peers have for them."""
    return {name.removeprefix(PREFIX): np.asarray(array) for name, array in arrays.items()}


def nudged(arrays: Arrays) -> Arrays:
    """Return arrays whose numbers were moved to the next float32, up or down by lot."""
    rng = np.random.default_rng(0)
    return {
        name: np.asarray(np.nextafter(array, rng.choice(FARTHEST, np.shape(array))))
        for name, array in arrays.items()
    }


def main(folder: Path, *, control: bool) -> None:
    """Play all rounds of the configuration in ``folder`` and leave the final arrays there."""
    config = load(folder / "config.yaml")
    world = world_of(config)
    cohorts = config.engine.cohorts or 1
    with cluster(None, cpus=cohorts + 1), reserved(cohorts) as placement:
        name, source = _teacher(config, world, folder / "teacher")
        store = MetricStore(max_device_series=config.telemetry.max_device_series)
        pool = Pool(
            make_client_app(config),
            config.engine,
            store,
            run_id=1,
            fingerprint=world.fingerprint,
            teacher=name,
            placement=placement,
        )
        observer = InTurns(config.federation.rounds)
        around = Surroundings(
            world=world,
            source=source,
            store=store,
            observer=observer,
            knowledge_at_fog=name is not None,
        )
        coordinator = Coordinator(RayGrid(pool, config.fleet.devices), around)
        if control:
            coordinator.state.arrays = nudged(coordinator.state.arrays)
        observer.begin()
        leave(folder, plain_names(coordinator.run().arrays))


def _teacher(config: RunConfig, world: World, folder: Path) -> tuple[str | None, KnowledgeSource]:
    """Start the teacher's actor, which reads what it has been taught."""
    if config.knowledge.selection == "none":
        return None, NoSource(world.dataset.classes)
    name = f"teacher-{uuid.uuid4()}"
    teacher = start_actor(Teacher, config, folder, cpus=0, name=name)
    for reference in teacher.lessons.options(num_returns="streaming").remote():
        ray.get(reference)
    return name, TeacherSource(teacher)


if __name__ == "__main__":
    main(Path(sys.argv[1]), control="nudged" in sys.argv[2:])
