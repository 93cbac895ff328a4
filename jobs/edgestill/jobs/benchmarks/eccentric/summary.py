"""Findings of several seeds as one: means with their intervals, by task."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edgestill.inference.tradeoffs import Point
from edgestill.jobs.benchmarks.eccentric.findings import Finding, Saved, saved
from edgestill.jobs.benchmarks.eccentric.fronts import ADAPTIVE, DYNAMIC, INDEPENDENT, SINGLES
from edgestill.jobs.benchmarks.intervals import Mean, mean_of

ARCHITECTURES = (INDEPENDENT, ADAPTIVE, DYNAMIC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Dynamic's accuracy minus a single architecture's at one of its operating points.

    Attributes:
        architecture: the single one.
        policy: its operating point.
        by_seed: the difference on the test part.
        excess_bytes, excess_flops: what Dynamic's point costs more on the test part, as shares of
            the single one's, mean over seeds; on validation data it costs no more.
    """

    architecture: str
    policy: str
    by_seed: Sequence[float]
    excess_bytes: float
    excess_flops: float

    @property
    def mean(self) -> float:
        """Over seeds."""
        return statistics.fmean(self.by_seed)


def differences(findings: Sequence[Finding]) -> list[Difference]:
    """Return Dynamic beside every operating point of the two single architectures."""
    pairs: dict[tuple[str, str], list[tuple[Point, Point]]] = {}
    for found in findings:
        for one in found.fronts.matched:
            key = (one.architecture, one.single.name)
            pairs.setdefault(key, []).append((one.single, one.dynamic))
    return [
        Difference(
            architecture=architecture,
            policy=policy,
            by_seed=[dynamic.right - single.right for single, dynamic in both],
            excess_bytes=statistics.fmean(_excess(d.bytes_sent, s.bytes_sent) for s, d in both),
            excess_flops=statistics.fmean(_excess(d.flops, s.flops) for s, d in both),
        )
        for (architecture, policy), both in pairs.items()
    ]


def volume_ratios(findings: Sequence[Finding]) -> list[float]:
    """Return, by seed, Dynamic's hyper-volume over the better of the single architectures'."""
    volumes = [found.fronts.hypervolumes for found in findings]
    # Slices of other points add up to other last bits.
    return [round(own[DYNAMIC] / max(own[name] for name in SINGLES), 9) for own in volumes]


def savings(findings: Sequence[Finding], architecture: str, share: float) -> list[Saved]:
    """Return, by seed, what the best point within a budget saves and keeps."""
    return [saved(found, found.fronts.within[architecture][share]) for found in findings]


def sedna_differences(findings: Sequence[Finding]) -> dict[str, list[float]]:
    """Return by Sedna's gate and seed how much more accurate ours is at its offload rate."""
    by_gate: dict[str, list[float]] = {}
    for found in findings:
        for one in found.gates.sedna:
            by_gate.setdefault(one.name, []).append(one.difference)
    return by_gate


def over(findings: Sequence[Finding], value: Callable[[Finding], float]) -> Mean:
    """Return the mean of a value over seeds, with its interval."""
    return mean_of([value(found) for found in findings])


def plain_point(one: Point) -> dict[str, Any]:
    """Return values that JSON has."""
    return {
        "policy": one.name,
        "accuracy": one.right,
        "bytes_per_input": one.bytes_sent,
        "edge_flops_per_input": one.edge_flops,
        "cloud_flops_per_input": one.cloud_flops,
        "offload_rate": one.offload_rate,
    }


def _excess(value: float, base: float) -> float:
    return value / base - 1.0 if base > 0.0 else 0.0
