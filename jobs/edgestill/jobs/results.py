"""The report of a run, put together from what its parts returned."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgestill.allocation import Level, allocation_of
from edgestill.config import RunConfig, digest
from edgestill.federation import Member, RunState, World
from edgestill.jobs.releases import leaves_device
from edgestill.models import leading_block, load_arrays
from edgestill.report import SCHEMA, versions_and_hardware
from edgestill.telemetry import MetricStore
from edgestill.training import evaluate, lane_refusal

TEACHER_GAP_TARGET = 0.05
FEDAVG_GAIN_TARGET = 0.03


def build_report(
    world: World,
    state: RunState,
    members: Mapping[int, Member],
    *,
    teacher: Mapping[str, Any],
    class_share: list[float],
    comparisons: Mapping[str, Any],
    personal: Mapping[str, Any],
    engine: Mapping[str, Any],
    store: MetricStore,
    projection_bytes: int,
    command: str,
) -> dict[str, Any]:
    """Return the report as plain values."""
    config = world.config
    levels = student_levels(world, state)
    final = _final(state, members, levels, projection_bytes)
    if personal:
        final["personal"] = dict(personal)
    return {
        "schema": SCHEMA,
        "command": command,
        **versions_and_hardware(),
        "name": config.name,
        "seed": config.seed,
        "config_digest": digest(config),
        "data": _data(world, members),
        "teacher": dict(teacher),
        "student": {"levels": levels},
        "rounds": state.rows,
        "selection": _selection(config, state, members, class_share),
        "comparisons": dict(comparisons),
        "claims": claims(final["accuracy"], teacher, comparisons),
        "privacy": {"leaves_device": leaves_device(config, state, members, personal)},
        "engine": {
            **engine,
            "trainings": _trainings(world, state.rows),
            "actor_restarts": int(
                store.value("edgestill_actor_restarts_total", tier="cohort") or 0
            ),
            "devices_lost": int(store.value("edgestill_devices_lost_total") or 0),
        },
        "final": final,
    }


def student_levels(world: World, state: RunState) -> dict[str, Any]:
    """Return what each level runs, what it costs and how well the final student does it."""
    dataset, rows = world.dataset, {}
    for level in Level:
        allocation = allocation_of(world.config.allocation.levels, level, dataset.kinds)
        variant = world.family.variant(allocation.modalities, allocation.width)
        module = world.family.module(allocation.width)
        load_arrays(module, leading_block(state.arrays, variant.shapes))
        score = evaluate(
            module, dataset, dataset.splits["test"], allocation.modalities, world.family.compress
        )
        rows[level.value] = {
            "modalities": dict(allocation.modalities),
            "width": allocation.width,
            "bits": allocation.bits,
            "parameters": variant.cost.parameters,
            "flops_per_sample": variant.cost.forward_flops,
            "bytes": variant.cost.inference_memory_bytes(),
            "accuracy": score.accuracy,
        }
    return rows


def claims(
    accuracy: float, teacher: Mapping[str, Any], comparisons: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return what the run is expected to show, and whether it does."""
    gap = teacher["accuracy"] - accuracy
    found = [_claim("gap_to_teacher", gap, TEACHER_GAP_TARGET, gap <= TEACHER_GAP_TARGET)]
    if "fedavg" in comparisons:
        gain = accuracy - comparisons["fedavg"]["accuracy"]
        found.append(
            _claim("gain_over_fedavg", gain, FEDAVG_GAIN_TARGET, gain >= FEDAVG_GAIN_TARGET)
        )
    return found


def _count(value: float | None) -> int:
    return 0 if value is None else int(value)


def _claim(name: str, value: float, target: float, holds: bool) -> dict[str, Any]:
    return {"id": name, "value": value, "target": target, "unit": "accuracy", "holds": holds}


def _data(world: World, members: Mapping[int, Member]) -> dict[str, Any]:
    dataset = world.dataset
    with_data = sum(1 for member in members.values() if member.examples)
    return {
        "name": dataset.name,
        "classes": dataset.classes,
        "samples": {name: len(rows) for name, rows in dataset.splits.items()},
        "synthetic_kinds": [k for k in dataset.kinds if dataset.modalities[k].synthetic],
        "devices_with_data": with_data,
        "devices_without_data": len(members) - with_data,
    }


def _selection(
    config: RunConfig, state: RunState, members: Mapping[int, Member], class_share: list[float]
) -> dict[str, Any]:
    noised = [m.summary.histogram for m in members.values() if m.summary is not None]
    shares = {"public": class_share, "selected": _share(state.selected_classes)}
    if noised:
        shares["private_noised"] = _share(np.maximum(np.sum(noised, axis=0), 0.0))
    return {
        "policy": config.knowledge.selection,
        "classes": [str(label) for label in range(len(class_share))],
        "class_share": shares,
    }


def _share(counts: NDArray[Any]) -> list[float]:
    total = float(counts.sum())
    return [float(count) / total if total else 0.0 for count in counts]


def _trainings(world: World, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return how many trainings were vectorized, and why the others were not."""
    counts = {
        key: sum(row["trainings"][key] for row in rows) for key in ("vectorized", "one_by_one")
    }
    reason = None
    if world.config.engine.trainer == "sequential":
        reason = "engine.trainer is sequential"
    elif counts["one_by_one"]:
        # A trial or a lane failed on the devices' side, where it was logged.
        reason = lane_refusal(world.family.module(1.0)) or "the logs of the cohorts say why"
    return {**counts, "reason": reason}


def _final(
    state: RunState,
    members: Mapping[int, Member],
    levels: Mapping[str, Any],
    projection_bytes: int,
) -> dict[str, Any]:
    """Return the run's result; nothing in it depends on wall time or on the number of actors."""
    rows, last = state.rows, state.rows[-1]
    return {
        "accuracy": last["accuracy"],
        "loss": last["loss"],
        "accuracy_by_level": {level: row["accuracy"] for level, row in levels.items()},
        "uplink_bytes": {
            "update": sum(row["uplink_bytes"]["update"] for row in rows),
            "summary": sum(member.summary_bytes for member in members.values()),
        },
        "downlink_bytes": {
            "model": sum(row["downlink_bytes"]["model"] for row in rows),
            "knowledge": sum(row["downlink_bytes"]["knowledge"] for row in rows),
            "projection": projection_bytes * len(members),
        },
        "energy_j": sum(row["energy_j"] for row in rows),
        "flops": sum(row["flops"] for row in rows),
        "time_s": last["time_s"],
        "late": sum(row["late"] for row in rows),
        "failed": sum(row["failed"] for row in rows),
    }
