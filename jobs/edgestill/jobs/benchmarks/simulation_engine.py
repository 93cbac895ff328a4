"""A program: one side of the contest, our own apps under Flower's engine, which plays in turns.

Usage: simulation_engine FOLDER CORES, where ``config.yaml`` and ``teacher`` lie.
"""

import sys
from pathlib import Path

import torch
from flwr.simulation import run_simulation

from edgestill.config import load
from edgestill.errors import RunError
from edgestill.federation import (
    BankSource,
    Coordinator,
    Surroundings,
    load_taught,
    make_client_app,
    make_server_app,
    world_of,
)
from edgestill.jobs.benchmarks.peers.app.digits8.flower_engine import backend_config
from edgestill.jobs.benchmarks.peers.app.digits8.turns import end_on_failure, leave
from edgestill.jobs.benchmarks.simulation_ours import InTurns, plain_names
from edgestill.telemetry import MetricStore


def main(folder: Path, cores: int) -> None:
    """Play all rounds of the configuration in ``folder`` and leave the final arrays there.

    Raises:
        RunError: no teacher was taught.
    """
    torch.set_num_threads(1)
    config = load(folder / "config.yaml")
    world = world_of(config)
    taught = load_taught(world, folder / "teacher")
    if taught is None:
        raise RunError(f"{folder}: no teacher there")
    observer = InTurns(config.federation.rounds)

    def keep(coordinator: Coordinator) -> None:
        leave(folder, plain_names(coordinator.state.arrays))

    surroundings = Surroundings(
        world=world,
        source=BankSource(taught.bank, config.knowledge, world.fingerprint),
        store=MetricStore(),
        observer=observer,
    )
    observer.begin()
    run_simulation(
        server_app=make_server_app(surroundings, on_finished=keep),
        client_app=make_client_app(config),
        num_supernodes=config.fleet.devices,
        backend_config=backend_config(cores),  # type: ignore[arg-type]
    )


if __name__ == "__main__":
    end_on_failure(lambda: main(Path(sys.argv[1]), int(sys.argv[2])))
