"""A program: an app's folder under Flower's own simulation engine, as ``flwr run`` runs it.

Usage: flower_engine_app.py APP_DIR OUT DEVICES [RUN_CONFIG], which writes the final arrays and the
seconds of each round to OUT (.npz).
"""

import logging
import sys
import time
from pathlib import Path

import numpy as np
from flwr.app import Context, RecordDict
from flwr.common.config import parse_config_args
from flwr.simulation.run_simulation import _run_simulation
from flwr.supercore.constant import NOOP_FEDERATION_ID
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity
from flwr.supercore.telemetry import EventType

from edgestill.jobs.flower import read_project
from edgestill.jobs.flower.recording import recorded

RUN_ID, TASK_ID = 1, 1


class RoundTimes(logging.Handler):
    """Notes when Flower says that a round begins, and that all is over."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if "[ROUND" in text or "execution finished" in text or "[SUMMARY]" in text:
            self.times.append(time.perf_counter())


def run(folder: Path, out: Path, devices: int, overrides: list[str]) -> None:
    project = read_project(folder, run_config=overrides)
    run = Run.create_empty(run_id=RUN_ID)
    run.primary_task_id, run.federation_id = TASK_ID, NOOP_FEDERATION_ID
    run.override_config = parse_config_args(overrides)
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = TASK_ID, RUN_ID, 1
    times = RoundTimes()
    logging.getLogger("flwr").handlers[:] = [times]
    with recorded(devices) as recording:
        _run_simulation(
            num_supernodes=devices,
            exit_event=EventType.FLWR_SIMULATION_RUN_LEAVE,
            client_app_attr=project.clientapp,
            server_app_attr=project.serverapp,
            server_app_context=Context(
                run_id=RUN_ID,
                node_id=1,
                node_config={},
                state=RecordDict(),
                run_config=project.run_config,
            ),
            app_dir=str(folder),
            run=run,
            is_app=True,
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
    assert recording.arrays is not None
    np.savez(out, **recording.arrays, round_wall_s=np.diff(times.times))


if __name__ == "__main__":
    run(Path(sys.argv[1]).absolute(), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
