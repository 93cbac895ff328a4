"""A program: the apps of a configuration under Flower's own simulation engine.

Usage: flower_engine.py CONFIG OUT, which writes the final arrays to OUT (.npz).
"""

import logging
import sys
from pathlib import Path

import numpy as np
import torch
from flwr.simulation import run_simulation

from edgestill.config import load
from edgestill.federation import (
    BankSource,
    Coordinator,
    Surroundings,
    make_client_app,
    make_server_app,
    teach,
    world_of,
)
from edgestill.telemetry import MetricStore


class Nobody:
    """Watches nothing."""

    def vitals_exported(self) -> None:
        """Nothing to do."""

    def round_started(self, round_number: int, participants: int) -> None:
        """Nothing to do."""

    def round_ended(self, row: object) -> None:
        """Nothing to do."""


def run(config_path: Path, out: Path) -> None:
    config = load(config_path)
    world = world_of(config)
    # As the teacher's actor does: sums in another order would make another teacher.
    torch.set_num_threads(1)
    lessons = teach(world)
    taught = None
    while taught is None:
        try:
            next(lessons)
        except StopIteration as end:
            taught = end.value

    def keep(coordinator: Coordinator) -> None:
        np.savez(out, **coordinator.state.arrays)

    surroundings = Surroundings(
        world=world,
        source=BankSource(taught.bank, config.knowledge, world.fingerprint),
        store=MetricStore(),
        observer=Nobody(),
    )
    run_simulation(
        server_app=make_server_app(surroundings, on_finished=keep),
        client_app=make_client_app(config),
        num_supernodes=config.fleet.devices,
        backend_config={
            "init_args": {
                "num_cpus": 2,
                "include_dashboard": False,
                "log_to_driver": False,
                "logging_level": logging.ERROR,
            },
            "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
        },
    )


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]))
