"""The figures of the page."""

import statistics
from collections.abc import Mapping, Sequence

import numpy as np

from edgestill.inference.tradeoffs import Point
from edgestill.jobs.benchmarks.charts import Chart, Series
from edgestill.jobs.benchmarks.eccentric.findings import Finding
from edgestill.jobs.benchmarks.eccentric.fronts import Offered
from edgestill.jobs.benchmarks.eccentric.gates import RATES
from edgestill.jobs.benchmarks.eccentric.summary import ARCHITECTURES
from edgestill.jobs.benchmarks.intervals import mean_of

COSTS = ("bytes", "edge and cloud MFLOPs")


def charts(by_task: Mapping[str, Sequence[Finding]]) -> list[Chart]:
    """Return, for each task, the fronts against both costs and the gates' curves."""
    return [
        chart
        for task, findings in by_task.items()
        for chart in (
            _front(task, findings, COSTS[0]),
            _front(task, findings, COSTS[1]),
            _gates(task, findings),
        )
    ]


def staircase(
    findings: Sequence[Finding], architecture: str, cost: str, grid: Sequence[float]
) -> list[float | None]:
    """Return the accuracy of the best point for at most each cost, mean over seeds.

    Which is best is by validation, its accuracy that on test; None where no point costs so little.

    Args:
        findings: of one task.
        architecture: whose points.
        cost: one of :data:`COSTS`.
        grid: costs, ascending.
    """
    rows = [
        [_best(found.fronts.offered[architecture], cost, most) for most in grid]
        for found in findings
    ]
    return [
        None if None in column else statistics.fmean(column) for column in zip(*rows, strict=True)
    ]


def grid_of(findings: Sequence[Finding], cost: str, steps: int = 40) -> list[float]:
    """Return costs between the cheapest and the dearest operating point, the ends included."""
    costs = [
        _cost(one.validated, cost)
        for found in findings
        for points in found.fronts.offered.values()
        for one in points
    ]
    return [float(value) for value in np.linspace(min(costs), max(costs), steps)]


def _best(points: Sequence[Offered], cost: str, most: float) -> float | None:
    within = [one for one in points if _cost(one.validated, cost) <= most]
    if not within:
        return None
    return max(within, key=lambda one: one.validated.right).tested.right


def _cost(one: Point, cost: str) -> float:
    return one.bytes_sent if cost == COSTS[0] else one.flops / 1e6


def _front(task: str, findings: Sequence[Finding], cost: str) -> Chart:
    grid = grid_of(findings, cost)
    return Chart(
        title=f"{task}: the three architectures, accuracy against {cost}",
        caption="The best operating point, chosen on validation data, for at most so much; mean "
        f"over {len(findings)} seeds on test.",
        x_label=f"{cost} for each input",
        y_label=_merit(task),
        series=[
            Series(name=name, x=grid, y=staircase(findings, name, cost, grid))
            for name in ARCHITECTURES
        ],
    )


def _gates(task: str, findings: Sequence[Finding]) -> Chart:
    series = []
    for name in findings[0].gates.curves:
        columns = zip(*(found.gates.curves[name] for found in findings), strict=True)
        found = [mean_of(column) for column in columns]
        series.append(
            Series(
                name=name,
                x=[100 * rate for rate in RATES],
                y=[one["mean"] for one in found],
                low=[one["low_95"] for one in found],
                high=[one["high_95"] for one in found],
            )
        )
    return Chart(
        title=f"{task}: gates",
        caption="Accuracy if each gate hands on the whole input of so many, on test; the oracle "
        "knows who is right.",
        x_label="offload rate, %",
        y_label=_merit(task),
        series=series,
    )


def _merit(task: str) -> str:
    return "mAP" if task == "detection" else "accuracy"
