"""A program: this app under Flower's own simulation engine.

One client per core, workers that stay, one torch thread each; usage: flower_engine.py CORES.
"""

import logging
import sys

from flwr.simulation import run_simulation

from .client_app import app as client_app
from .server_app import app as server_app
from .turns import end_on_failure
from .work import own_work


def backend_config(cores: int) -> dict[str, dict[str, str | int | float | bool]]:
    """Return the engine's best setting for small clients: one at a time on each core."""
    return {
        "init_args": {
            # Without an address Ray would join a cluster that happens to run here.
            "address": "local",
            "num_cpus": cores,
            "include_dashboard": False,
            "log_to_driver": False,
            "logging_level": logging.ERROR,
        },
        "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
    }


def main() -> None:
    """Run the app of the work that the environment names."""
    run_simulation(
        server_app=server_app,
        client_app=client_app,
        num_supernodes=own_work()[1].devices,
        backend_config=backend_config(int(sys.argv[1])),  # type: ignore[arg-type]
    )


if __name__ == "__main__":
    end_on_failure(main)
