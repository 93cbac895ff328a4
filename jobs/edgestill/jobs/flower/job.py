"""The job behind ``edgestill flower run``: an app on the fleet, watched and reported."""

import logging
import math
import shlex
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from flwr.serverapp import ServerApp

from edgestill.actors import ClusterWatch, Telemetry, ending, start_actor
from edgestill.config import TelemetryConfig
from edgestill.errors import EdgestillError
from edgestill.federation.foreign import Round
from edgestill.jobs.flower.flower_log import flower_lines_kept
from edgestill.jobs.flower.folder import AppFolder
from edgestill.jobs.flower.report import build_report, failures_of, fits_per_s
from edgestill.jobs.flower.running import AppRun, Plan, federate, on_ray
from edgestill.monitoring import address_of, announced, targets_folder
from edgestill.report import Advance, show_progress
from edgestill.telemetry import MetricStore

log = logging.getLogger(__name__)


def run_job(
    plan: Plan, server_app: ServerApp, folder: AppFolder, *, quiet: bool = False
) -> dict[str, Any]:
    """Run a loaded app to its end and return the report that was written to its folder.

    A run that fails or is interrupted leaves the report of what came before.

    Raises:
        RunError: the app failed, or every device of a round did.
    """
    run, store = AppRun(), MetricStore()
    outcome, said = "interrupted", ""
    for note in plan.project.notes:
        log.info("%s", note)
    try:
        with flower_lines_kept():
            _run(plan, server_app, run, store, quiet=quiet)
        outcome = "done"
    except EdgestillError as error:
        outcome, said = "failed", str(error)
        raise
    finally:
        report = _write(plan, run, store, folder, outcome, said)
    return report


def _write(
    plan: Plan, run: AppRun, store: MetricStore, folder: AppFolder, outcome: str, said: str
) -> dict[str, Any]:
    if run.arrays is not None and folder.write_arrays(run.arrays) is None:
        log.warning("the final arrays are not written: safetensors has no place for their types")
    command = shlex.join(["edgestill", *sys.argv[1:]])
    report = build_report(plan, run, store, command=command, outcome=outcome, said=said)
    folder.write_metrics(store.exposition())
    folder.write_report(report)
    return report


def _run(
    plan: Plan, server_app: ServerApp, run: AppRun, store: MetricStore, *, quiet: bool
) -> None:
    with (
        on_ray(plan) as placement,
        _exported(plan, store) as telemetry,
        show_progress("rounds", total=plan.project.rounds, quiet=quiet) as advance,
    ):
        federate(
            plan,
            server_app,
            placement,
            run,
            store=store,
            watch=ClusterWatch(telemetry),
            on_round=_Follower(advance, store, telemetry),
        )


@contextmanager
def _exported(plan: Plan, store: MetricStore) -> Iterator[Any]:
    """Export the metrics inside the block, and tell Prometheus where."""
    config = TelemetryConfig()
    label = f"{plan.project.name}-{uuid.uuid4().hex[:8]}"
    with ending(start_actor(Telemetry, config, cpus=0)) as telemetry:
        exporter = address_of(config.host, ray.get(telemetry.start.remote()))
        log.info("metrics of %s at http://%s/metrics", label, exporter)
        with announced(targets_folder(config.targets_path), label, exporter):
            try:
                yield telemetry
            finally:
                store.set("edgestill_round_started_timestamp_seconds", math.nan)


class _Follower:
    """Moves the progress bar and sends the newest metrics after each round."""

    def __init__(self, advance: Advance, store: MetricStore, telemetry: Any) -> None:
        self._advance, self._store, self._telemetry = advance, store, telemetry

    def __call__(self, row: Round) -> None:
        self._telemetry.update.remote(self._store.snapshot())
        if row.number > 0:
            self._advance(_said(row))


def _said(row: Round) -> str:
    failed, rate = failures_of([row]).total(), fits_per_s([row])
    parts = ["" if rate is None else f"{rate:.0f} fits/s", f"{failed} failed" if failed else ""]
    return ", ".join(part for part in parts if part)
