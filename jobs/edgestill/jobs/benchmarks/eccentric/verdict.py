"""From the findings to claims, and to the figures of the JSON."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from edgestill.jobs.benchmarks.eccentric import gates
from edgestill.jobs.benchmarks.eccentric.ablation import Without, ablated
from edgestill.jobs.benchmarks.eccentric.charts import charts
from edgestill.jobs.benchmarks.eccentric.findings import Finding, Saved
from edgestill.jobs.benchmarks.eccentric.fronts import BUDGETS, CLAIMED, DYNAMIC
from edgestill.jobs.benchmarks.eccentric.picture import pareto_png
from edgestill.jobs.benchmarks.eccentric.plan import KEPT, Amount
from edgestill.jobs.benchmarks.eccentric.summary import (
    ARCHITECTURES,
    differences,
    over,
    plain_point,
    savings,
    sedna_differences,
    volume_ratios,
)
from edgestill.jobs.benchmarks.eccentric.tables import ablation_table, tables
from edgestill.jobs.benchmarks.form import Claim, Measured, at_least
from edgestill.jobs.benchmarks.intervals import mean_of

EDGE_FLOPS_SAVED, BYTES_SAVED = 0.42, 0.68
PREFIXES = {"classification": "eccentric", "detection": "eccentric_detection"}

ByTask = Mapping[str, Sequence[Finding]]


def judged(
    amount: Amount, findings: Sequence[Finding], variants: Sequence[Without] = ()
) -> Measured:
    """Return the figures of all seeds and tasks and what they say about the claims."""
    found = {task: [one for one in findings if one.task == task] for task in PREFIXES}
    by_task = {task: own for task, own in found.items() if own}
    ablation = ablated(variants, findings)
    return Measured(
        configuration=amount.to_plain(),
        results={
            **{task: _results(task, found) for task, found in by_task.items()},
            "ablation": [asdict(one) for one in ablation],
        },
        claims=_claims(by_task),
        tables=[*tables(by_task), *ablation_table(ablation)],
        charts=charts(by_task),
        files={"eccentric.png": pareto_png(by_task)},
    )


def _claims(by_task: ByTask) -> list[Claim]:
    claims = [claim for task, found in by_task.items() for claim in _savings(task, found)]
    changes = {task: differences(found) for task, found in by_task.items()}
    volumes = [statistics.fmean(volume_ratios(found)) for found in by_task.values()]
    worst = min(one.mean for found in changes.values() for one in found)
    # Better somewhere is asked of each task.
    best = min(max(one.mean for one in found) for found in changes.values())
    beside = [
        statistics.fmean(values)
        for found in by_task.values()
        for values in sedna_differences(found).values()
    ]
    return [
        *claims,
        at_least(
            "dynamic_hypervolume_vs_best_single",
            min(volumes),
            1.0,
            "of its hyper-volume, the lower of the tasks",
        ),
        at_least(
            "dynamic_front_worst_difference", worst, 0.0, "of accuracy at equal cost, smallest"
        ),
        Claim(
            id="dynamic_front_best_difference",
            value=best,
            target=0.0,
            unit="of accuracy at equal cost, largest, above 0",
            holds=best > 0.0,
        ),
        at_least(
            "best_gate_vs_sedna", min(beside), 0.0, "of accuracy at equal offload rate, smallest"
        ),
    ]


def _savings(task: str, findings: Sequence[Finding]) -> list[Claim]:
    prefix, found = PREFIXES[task], savings(findings, DYNAMIC, CLAIMED)
    edge_flops, sent, accuracy = (
        statistics.fmean(getattr(one, name) for one in found)
        for name in ("edge_flops", "bytes", "accuracy_kept")
    )
    return [
        at_least(f"{prefix}_edge_flops_saved", edge_flops, EDGE_FLOPS_SAVED, "of the cloud model"),
        at_least(f"{prefix}_bytes_saved", sent, BYTES_SAVED, "of every input as JPEG"),
        at_least(f"{prefix}_accuracy_kept", accuracy, KEPT[task], "of the cloud's accuracy"),
    ]


def _results(task: str, findings: Sequence[Finding]) -> dict[str, Any]:
    changes = differences(findings)
    return {
        "figure_of_merit": "mAP@[.5:.95]" if task == "detection" else "accuracy",
        "cloud_accuracy": over(findings, lambda one: one.cloud_accuracy),
        "edge_accuracy": over(findings, lambda one: one.ways[0].right),
        "cloud_flops_per_input": over(findings, lambda one: one.cloud_flops),
        "saved_within_share_of_jpeg_bytes": {
            name: {f"{share:g}": _means(savings(findings, name, share)) for share in BUDGETS}
            for name in ARCHITECTURES
        },
        "hypervolume": {
            name: over(findings, lambda one, name=name: one.fronts.hypervolumes[name])  # type: ignore[misc]
            for name in ARCHITECTURES
        },
        "dynamic_hypervolume_ratio": mean_of(volume_ratios(findings)),
        "dynamic_differences": [
            {
                "architecture": one.architecture,
                "policy": one.policy,
                "accuracy_by_seed": list(one.by_seed),
                "accuracy": mean_of(one.by_seed),
                "excess_bytes_ratio": one.excess_bytes,
                "excess_flops_ratio": one.excess_flops,
            }
            for one in changes
        ],
        "sedna_differences": {
            name: mean_of(values) for name, values in sedna_differences(findings).items()
        },
        "seeds": [_seed(found) for found in findings],
    }


def _means(found: Sequence[Saved]) -> dict[str, Any]:
    return {
        "edge_flops_saved_ratio": mean_of([one.edge_flops for one in found]),
        "bytes_saved_ratio": mean_of([one.bytes for one in found]),
        "bytes_saved_ratio_vs_jpeg_without_tables": mean_of([one.bare_bytes for one in found]),
        "accuracy_kept_ratio": mean_of([one.accuracy_kept for one in found]),
    }


def _seed(found: Finding) -> dict[str, Any]:
    return {
        "seed": found.seed,
        "time_s": found.seconds,
        "cloud_accuracy": found.cloud_accuracy,
        "cloud_flops_per_input": found.cloud_flops,
        "ways": [plain_point(one) for one in found.ways],
        "jpeg": found.jpeg.name,
        "jpeg_by_validation": [
            {"setting": one.setting.name, "accuracy": one.accuracy, "bytes_per_input": one.bytes}
            for one in found.jpegs
        ],
        "jpeg_without_tables_bytes_per_input": found.bare_jpeg_bytes,
        "operating_points": {
            name: [plain_point(one.tested) for one in points]
            for name, points in found.fronts.offered.items()
        },
        "hypervolume": dict(found.fronts.hypervolumes),
        "best_within_share_of_jpeg_bytes": {
            name: {f"{share:g}": plain_point(one) for share, one in within.items()}
            for name, within in found.fronts.within.items()
        },
        "gates": gates.plain(found.gates),
        "deadline_30_ms": [asdict(one) for one in found.deadlines],
    }
