"""From the points to claims, tables and charts."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scipy.stats import t as student_t

from edgestill.jobs.benchmarks.charts import Chart, Series
from edgestill.jobs.benchmarks.form import Measured, ResultTable, at_least
from edgestill.jobs.benchmarks.tofc.curves import TOLERANCE, Curve, gain
from edgestill.jobs.benchmarks.tofc.models import Trained
from edgestill.jobs.benchmarks.tofc.plan import (
    BANDWIDTHS_BYTES_PER_S,
    CLAIMED_BANDWIDTH_BYTES_PER_S,
    EXPERTS,
    Amount,
    Coding,
    ImageCoding,
    PlainCoding,
    TokenCoding,
)
from edgestill.jobs.benchmarks.tofc.tasks import Point
from edgestill.jobs.benchmarks.tofc.timing import Parts

OURS, ONE_EXPERT, POOLING = f"{EXPERTS} experts", "1 expert", "pooling"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A coding's figures on the test part, means over seeds."""

    coding: Coding
    bytes: float
    accuracy: float
    own_accuracy: float
    relational_accuracy: float


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
            "bytes_saved_ratio": interval(saved),
            "experts_gain": interval(experts),
            "dpc_knn_gain": interval(merging),
            "latency": {name: asdict(one) for name, one in times.items()},
        },
        claims=[
            at_least("tofc_bytes_saved_vs_best_image_codec", _mean(saved), 0.6, "of its bytes"),
            at_least("tofc_latency_saved", latency, 0.5, "of its time at 50 kB/s"),
            at_least("tofc_experts_gain", _mean(experts), 0.0, "of accuracy at equal bytes"),
            at_least("tofc_dpc_knn_gain", _mean(merging), 0.0, "of accuracy at equal bytes"),
        ],
        tables=[_points_table(points), _times_table(times)],
        charts=[_chart(points), _ablation_chart(points)],
    )


def interval(values: Sequence[float]) -> dict[str, Any]:
    """Return the mean with its 95 % interval (Student's t); None where there is none."""
    finite = [value for value in values if abs(value) < float("inf")]
    shown: dict[str, Any] = {"by_seed": [v if v in finite else None for v in values]}
    low = high = None
    if len(finite) > 1:
        half = float(student_t.ppf(0.975, len(finite) - 1)) * statistics.stdev(finite)
        half /= len(finite) ** 0.5
        low, high = statistics.fmean(finite) - half, statistics.fmean(finite) + half
    mean = statistics.fmean(finite) if finite else None
    return {**shown, "mean": mean, "low_95": low, "high_95": high}


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


def _mean(values: Sequence[float]) -> float:
    return statistics.fmean(values)


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


def _means(points: Sequence[Point]) -> list[Mean]:
    """Return the means over seeds, coding by coding."""
    found = []
    for coding in dict.fromkeys(point.coding for point in points):
        own = [point for point in points if point.coding == coding]
        found.append(
            Mean(
                coding=coding,
                bytes=statistics.fmean(point.bytes for point in own),
                accuracy=statistics.fmean(point.accuracy for point in own),
                own_accuracy=statistics.fmean(point.own_accuracy for point in own),
                relational_accuracy=statistics.fmean(point.relational_accuracy for point in own),
            )
        )
    return found


def _points_table(points: Sequence[Point]) -> ResultTable:
    rows = [
        (
            one.coding.name,
            _detail(one.coding),
            f"{one.bytes:.0f}",
            f"{one.accuracy:.1%}",
            f"{one.own_accuracy:.1%}",
            f"{one.relational_accuracy:.1%}",
        )
        for one in _means(points)
    ]
    columns = ("what is sent", "setting", "bytes", "accuracy", "one object", "relations")
    return ResultTable(title="accuracy against bytes, test scenes", columns=columns, rows=rows)


def _detail(coding: Coding) -> str:
    if isinstance(coding, ImageCoding):
        return f"quality {coding.quality}, {coding.side} pixels"
    tokens = f"{coding.merging.count} tokens"
    if isinstance(coding, TokenCoding):
        return f"{tokens}, lambda {coding.rate_weight:g}"
    return tokens


def _times_table(times: Mapping[str, Parts]) -> ResultTable:
    rows = [
        (
            name,
            f"{one.bytes:.0f}",
            f"{one.device_ms:.2f}",
            f"{one.server_ms:.2f}",
            *(f"{one.total_ms(bandwidth):.1f}" for bandwidth in BANDWIDTHS_BYTES_PER_S),
        )
        for name, one in times.items()
    ]
    totals = [f"total ms at {bandwidth // 1000} kB/s" for bandwidth in BANDWIDTHS_BYTES_PER_S]
    return ResultTable(
        title="one request at equal accuracy; both ends on one thread of this machine",
        columns=("what is sent", "bytes", "device ms", "server ms", *totals),
        rows=rows,
    )


def _chart(points: Sequence[Point]) -> Chart:
    controls = [p.coding for p in points if isinstance(p.coding, ImageCoding | PlainCoding)]
    names = [OURS, *dict.fromkeys(coding.name for coding in controls)]
    return Chart(
        title="Accuracy against bytes",
        caption="The best accuracy for at most so many bytes, mean over seeds, test scenes.",
        x_label="bytes per picture, header included",
        y_label="accuracy",
        series=_series(points, names),
        logarithmic_x=True,
    )


def _ablation_chart(points: Sequence[Point]) -> Chart:
    names = dict.fromkeys(p.coding.name for p in points if not isinstance(p.coding, ImageCoding))
    return Chart(
        title="What the parts of TOFC bring",
        caption="Experts, merging and number of tokens; other mergings with one expert.",
        x_label="bytes per picture, header included",
        y_label="accuracy",
        series=_series(points, list(names)),
        logarithmic_x=True,
    )


def _series(points: Sequence[Point], names: Sequence[str]) -> list[Series]:
    means = _means(points)
    curves = {
        name: Curve.of([(one.bytes, one.accuracy) for one in means if one.coding.name == name])
        for name in names
    }
    return [Series(name=n, x=list(c.bytes), y=list(c.accuracies)) for n, c in curves.items()]
