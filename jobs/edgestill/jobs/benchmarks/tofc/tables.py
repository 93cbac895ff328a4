"""What people see of the points: tables and charts, means over seeds."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgestill.jobs.benchmarks.charts import Chart, Series
from edgestill.jobs.benchmarks.form import ResultTable
from edgestill.jobs.benchmarks.tofc.curves import Curve
from edgestill.jobs.benchmarks.tofc.plan import (
    BANDWIDTHS_BYTES_PER_S,
    OURS,
    Coding,
    ImageCoding,
    PlainCoding,
    TokenCoding,
)
from edgestill.jobs.benchmarks.tofc.tasks import Point
from edgestill.jobs.benchmarks.tofc.timing import Parts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mean:
    """A coding's figures on the test part, means over seeds."""

    coding: Coding
    bytes: float
    accuracy: float
    own_accuracy: float
    relational_accuracy: float


def points_table(points: Sequence[Point]) -> ResultTable:
    """Return every coding's figures, means over seeds."""
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


def times_table(times: Mapping[str, Parts]) -> ResultTable:
    """Return the parts of a request and its whole time on each link."""
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


def accuracy_chart(points: Sequence[Point]) -> Chart:
    """Return TOFC beside image codecs and plain tokens."""
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


def parts_chart(points: Sequence[Point]) -> Chart:
    """Return TOFC beside itself without each of its parts."""
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


def _means(points: Sequence[Point]) -> list[_Mean]:
    """Return the means over seeds, coding by coding."""
    found = []
    for coding in dict.fromkeys(point.coding for point in points):
        own = [point for point in points if point.coding == coding]
        found.append(
            _Mean(
                coding=coding,
                bytes=statistics.fmean(point.bytes for point in own),
                accuracy=statistics.fmean(point.accuracy for point in own),
                own_accuracy=statistics.fmean(point.own_accuracy for point in own),
                relational_accuracy=statistics.fmean(point.relational_accuracy for point in own),
            )
        )
    return found
