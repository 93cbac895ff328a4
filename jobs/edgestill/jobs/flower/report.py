"""The report of an app's run: plain values, every figure with its unit in its key."""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from edgestill.federation.foreign import Round, Work
from edgestill.jobs.flower.recording import Metrics
from edgestill.jobs.flower.running import AppRun, Plan
from edgestill.report import versions_and_hardware
from edgestill.telemetry import MetricStore

SCHEMA = "edgestill.flower-report/1"


def build_report(
    plan: Plan, run: AppRun, store: MetricStore, *, command: str, outcome: str, said: str
) -> dict[str, Any]:
    """Return the report as far as the run came.

    Args:
        plan: what was to be run.
        run: what came of it.
        store: the metrics.
        command: that ran it.
        outcome: ``done``, ``failed`` or ``interrupted``.
        said: why it failed; empty otherwise.
    """
    project = plan.project
    return {
        "schema": SCHEMA,
        "command": command,
        **versions_and_hardware(),
        "name": project.name,
        "seed": plan.seed,
        "outcome": outcome,
        "error": said,
        "app": {
            "folder": str(project.folder),
            "version": project.version,
            "serverapp": project.serverapp,
            "clientapp": project.clientapp,
            "run_config": _plain(project.run_config),
        },
        "devices": plan.devices,
        "timeout_s": plan.timeout_s,
        "engine": {
            "cohorts": run.cohorts,
            "actor_restarts": int(
                store.value("edgestill_actor_restarts_total", tier="cohort") or 0
            ),
            "pool": run.pool,
        },
        "rounds": [_row(row, run) for row in run.rounds],
        "final": _final(run),
    }


def failures_of(rounds: list[Round]) -> Counter[str]:
    """Return failures of all rounds by reason."""
    return sum((work.failed for row in rounds for work in row.work.values()), Counter())


def fits_per_s(rounds: list[Round]) -> float | None:
    """Return devices trained per second of training, without the strategy's own time."""
    works = [row.work["train"] for row in rounds if "train" in row.work]
    wall_s = sum(work.wall_s for work in works)
    return sum(work.answered for work in works) / wall_s if wall_s else None


def _row(row: Round, run: AppRun) -> dict[str, Any]:
    recording = run.recording
    metrics = {"train": recording.train, "evaluate": recording.evaluate}
    return {
        "round": row.number,
        "wall_s": row.wall_s,
        "fits_per_s": fits_per_s([row]),
        "work": {
            kind: {**_work(work), "metrics": _plain(metrics.get(kind, {}).get(row.number, {}))}
            for kind, work in row.work.items()
        },
        "server_metrics": _plain(recording.server.get(row.number, {})),
    }


def _work(work: Work) -> dict[str, Any]:
    return {
        "asked": work.asked,
        "answered": work.answered,
        "failed": dict(sorted(work.failed.items())),
        "wall_s": work.wall_s,
    }


def _final(run: AppRun) -> dict[str, Any]:
    recording, arrays = run.recording, run.arrays
    return {
        "strategy": recording.strategy,
        "wall_s": run.wall_s,
        "rounds": len(run.round_wall_s),
        "fits": sum(row.work["train"].answered for row in run.rounds if "train" in row.work),
        "fits_per_s": fits_per_s(run.rounds),
        "fits_per_s_warm": fits_per_s([row for row in run.rounds if row.number > 1]),
        "failed": dict(sorted(failures_of(run.rounds).items())),
        "train_metrics": _plain(_last(recording.train)),
        "evaluate_metrics": _plain(_last(recording.evaluate)),
        "server_metrics": _plain(_last(recording.server)),
        "arrays": None if arrays is None else len(arrays),
        "parameters": None if arrays is None else sum(array.size for array in arrays.values()),
    }


def _last(rounds: Mapping[int, Metrics]) -> Metrics:
    return rounds[max(rounds)] if rounds else {}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what strict JSON can carry; what is not finite is null."""
    return {str(name): _plain_value(value) for name, value in values.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain_value(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | None) else f"{len(value)} bytes"
