"""From the points to claims, tables and charts."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgestill.jobs.benchmarks.form import Measured, at_least
from edgestill.jobs.benchmarks.intervals import mean_of
from edgestill.jobs.benchmarks.tofc.curves import TOLERANCE, Curve, gain
from edgestill.jobs.benchmarks.tofc.models import Trained
from edgestill.jobs.benchmarks.tofc.plan import (
    CLAIMED_BANDWIDTH_BYTES_PER_S,
    ONE_EXPERT,
    OURS,
    POOLING,
    Amount,
    Coding,
    ImageCoding,
)
from edgestill.jobs.benchmarks.tofc.tables import (
    accuracy_chart,
    parts_chart,
    points_table,
    times_table,
)
from edgestill.jobs.benchmarks.tofc.tasks import Point
from edgestill.jobs.benchmarks.tofc.timing import Parts

LOSS = 0.05
"""Image codecs are compared wherever they lose at most so much accuracy against their own best, by
validation; what is claimed is the point at which TOFC saves least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """An image codec's point, what TOFC takes for the same accuracy, and a point that reaches it.

    Attributes:
        saved_ratio: of the bytes, by interpolation of TOFC's curve; None if it does not get there.
        ours: the cheapest measured point of TOFC that is as accurate, within half a point.
    """

    theirs: Point
    saved_ratio: float
    ours: Point | None


def matches(points: Sequence[Point]) -> dict[int, Match]:
    """Return, by seed, the image codec's point at which TOFC saves least, and what TOFC takes."""
    found = {}
    for seed in sorted({point.seed for point in points}):
        own = [point for point in points if point.seed == seed]
        ours = [p for p in own if p.coding.name == OURS]
        theirs = useful([p for p in own if isinstance(p.coding, ImageCoding)])
        found[seed] = min((_match(p, ours) for p in theirs), key=lambda one: one.saved_ratio)
    return found


def useful(pictures: Sequence[Point]) -> list[Point]:
    """Return the points that are nearly as accurate as the best of them, by validation."""
    best = max(point.validation_accuracy for point in pictures)
    return [point for point in pictures if point.validation_accuracy >= best - LOSS]


def judged(
    amount: Amount,
    trained: Sequence[Trained],
    points: Sequence[Point],
    times: Mapping[str, Parts],
) -> Measured:
    """Return what was measured; ``times`` has the parts of ``tofc`` and ``image``."""
    matched = matches(points)
    saved = [match.saved_ratio for match in matched.values()]
    experts = _gains(points, OURS, ONE_EXPERT)
    merging = _gains(points, ONE_EXPERT, POOLING)
    latency = _latency(times, CLAIMED_BANDWIDTH_BYTES_PER_S)
    return Measured(
        configuration=_configuration(amount),
        results={
            "before_any_codec": [asdict(one) for one in trained],
            "points": [_plain(point) for point in points],
            "saved": {str(seed): _plain_match(match) for seed, match in matched.items()},
            "bytes_saved_ratio": seed_figures(saved),
            "experts_gain": seed_figures(experts),
            "dpc_knn_gain": seed_figures(merging),
            "latency": {name: asdict(one) for name, one in times.items()},
        },
        claims=[
            at_least(
                "tofc_bytes_saved_vs_best_image_codec", statistics.fmean(saved), 0.6, "of its bytes"
            ),
            at_least("tofc_latency_saved", latency, 0.5, "of its time at 50 kB/s"),
            at_least(
                "tofc_experts_gain", statistics.fmean(experts), 0.0, "of accuracy at equal bytes"
            ),
            at_least(
                "tofc_dpc_knn_gain", statistics.fmean(merging), 0.0, "of accuracy at equal bytes"
            ),
        ],
        tables=[points_table(points), times_table(times)],
        charts=[accuracy_chart(points), parts_chart(points)],
    )


def seed_figures(values: Sequence[float]) -> dict[str, Any]:
    """Return each seed's value, and their mean with its interval: None if a seed has no value."""
    finite = all(math.isfinite(value) for value in values)
    every = mean_of(values) if finite else {"mean": None, "low_95": None, "high_95": None}
    return {"by_seed": [value if math.isfinite(value) else None for value in values], **every}


def _match(theirs: Point, ours: Sequence[Point]) -> Match:
    curve = Curve.of([(point.bytes, point.accuracy) for point in ours])
    enough = [point for point in ours if point.accuracy >= theirs.accuracy - TOLERANCE]
    return Match(
        theirs=theirs,
        saved_ratio=1 - curve.bytes_for(theirs.accuracy) / theirs.bytes,
        ours=min(enough, key=lambda point: point.bytes, default=None),
    )


def _gains(points: Sequence[Point], ours: str, theirs: str) -> list[float]:
    found = []
    for seed in sorted({point.seed for point in points}):
        one, other = (
            Curve.of([(p.bytes, p.accuracy) for p in points if (p.seed, p.coding.name) == key])
            for key in ((seed, ours), (seed, theirs))
        )
        found.append(gain(one, other))
    return found


def _latency(times: Mapping[str, Parts], bandwidth_bytes_per_s: float) -> float:
    if not {"tofc", "image"} <= times.keys():
        return float("nan")
    ours, theirs = (times[name].total_ms(bandwidth_bytes_per_s) for name in ("tofc", "image"))
    return 1 - ours / theirs


def _configuration(amount: Amount) -> dict[str, Any]:
    tree = asdict(amount)
    tree["codings"] = [_setting(coding) for coding in amount.codings]
    return tree


def _setting(coding: Coding) -> dict[str, Any]:
    return {"name": coding.name, **asdict(coding)}


def _plain(point: Point) -> dict[str, Any]:
    return {**asdict(point), "coding": _setting(point.coding)}


def _plain_match(match: Match) -> dict[str, Any]:
    reached = abs(match.saved_ratio) < float("inf")
    return {
        "image_codec": _plain(match.theirs),
        "tofc": None if match.ours is None else _plain(match.ours),
        "saved_ratio": match.saved_ratio if reached else None,
    }
