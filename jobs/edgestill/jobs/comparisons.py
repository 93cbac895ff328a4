"""What else could have been done with the same data in the same number of rounds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ray

from edgestill.actors import Pool, RayGrid
from edgestill.config import RunConfig
from edgestill.federation import (
    AloneCoordinator,
    Coordinator,
    NoSource,
    Surroundings,
    World,
    alone_config,
    make_client_app,
    without_teacher,
)
from edgestill.jobs.watching import Stages
from edgestill.telemetry import MetricStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """Runs the comparisons on the actors of the main run."""

    config: RunConfig
    pool: Pool
    teacher: Any
    stages: Stages

    def run(self) -> dict[str, Any]:
        """Return the report's ``comparisons``."""
        runners = {
            "fedavg": self._fedavg,
            "local_only": self._local_only,
            "cloud_only": self._cloud_only,
        }
        return {name: runners[name]() for name in self.config.comparisons}

    def _fedavg(self) -> dict[str, Any]:
        """Federated averaging of the same students on the same devices, without a teacher."""
        config = without_teacher(self.config)
        config = config.model_copy(
            update={
                "federation": config.federation.model_copy(
                    update={"strategy": "FedAvg", "options": {}}
                )
            }
        )
        with self.stages.show("fedavg", total=config.federation.rounds) as advance:
            state = Coordinator(*self._surroundings(config, advance)).run()
        return {
            "accuracy": state.rows[-1]["accuracy"],
            "accuracy_by_round": [row["accuracy"] for row in state.rows],
            "uplink_bytes": sum(row["uplink_bytes"]["update"] for row in state.rows),
        }

    def _local_only(self) -> dict[str, Any]:
        """Each device by itself, the same passes over its own data."""
        config = alone_config(self.config)
        with self.stages.show("local only", total=1) as advance:
            coordinator = AloneCoordinator(*self._surroundings(config, advance))
            coordinator.run()
        accuracies = sorted(coordinator.accuracies.values())
        return {
            "accuracy": sum(accuracies) / len(accuracies),
            "accuracy_low": accuracies[0],
            "accuracy_high": accuracies[-1],
            "devices": len(accuracies),
        }

    def _cloud_only(self) -> dict[str, Any]:
        """A student distilled in the cloud from public data alone."""
        rounds = self.config.federation.rounds
        accuracies: list[float] = []
        with self.stages.show("cloud only", total=rounds) as advance:
            for reference in self.teacher.distil_centrally.options(
                num_returns="streaming"
            ).remote():
                accuracies.append(ray.get(reference))
                advance(f"accuracy {accuracies[-1]:.1%}")
        return {"accuracy": accuracies[-1], "accuracy_by_round": accuracies}

    def _surroundings(self, config: RunConfig, advance: Any) -> tuple[RayGrid, Surroundings]:
        world = World.build(config)
        self.pool.use(make_client_app(config), world.fingerprint)
        surroundings = Surroundings(
            world=world,
            source=NoSource(world.dataset.classes),
            store=MetricStore(),
            observer=_Quiet(advance),
        )
        return RayGrid(self.pool, config.fleet.devices), surroundings


class _Quiet:
    """Shows rounds as progress and nothing else."""

    def __init__(self, advance: Any) -> None:
        self._advance = advance

    def vitals_exported(self) -> None:
        """Nothing to show."""

    def round_started(self, round_number: int, participants: int) -> None:
        """Nothing to show."""

    def round_ended(self, row: Mapping[str, Any]) -> None:
        """Show the accuracy."""
        self._advance(f"accuracy {row['accuracy']:.1%}")
