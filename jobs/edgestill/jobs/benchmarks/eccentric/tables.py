"""The tables that are printed."""

import statistics
from collections.abc import Iterable, Mapping, Sequence

from edgestill.jobs.benchmarks.eccentric.ablation import WATCHED, Without
from edgestill.jobs.benchmarks.eccentric.deadlines import (
    CLOUD_S,
    DEADLINE_S,
    HARD,
    ROUND_TRIP_S,
)
from edgestill.jobs.benchmarks.eccentric.findings import Finding
from edgestill.jobs.benchmarks.eccentric.fronts import BUDGETS, CLAIMED
from edgestill.jobs.benchmarks.eccentric.gates import RATES
from edgestill.jobs.benchmarks.eccentric.summary import ARCHITECTURES, savings, sedna_differences
from edgestill.jobs.benchmarks.form import ResultTable
from edgestill.jobs.benchmarks.intervals import mean_of

SHOWN_RATES = (0.0, 0.1, 0.2, 0.3, 0.5, 1.0)
NONE = "-"


def tables(by_task: Mapping[str, Sequence[Finding]]) -> list[ResultTable]:
    """Return, for each task, ways, trade-offs, gates, Sedna's gates, JPEG and the ablation."""
    made = []
    for task, findings in by_task.items():
        made += [
            _ways(task, findings),
            _tradeoffs(task, findings),
            _gates(task, findings),
            _sedna(task, findings),
            _deadlines(task, findings),
            _jpeg(task, findings),
        ]
    return made


def ablation_table(variants: Sequence[Without]) -> list[ResultTable]:
    """Return the table of the variants, none without them."""
    if not variants:
        return []
    rates = max(len(one.features or ()) for one in variants)
    rows = []
    for name in dict.fromkeys(one.variant for one in variants):
        own = [one for one in variants if one.variant == name]
        cells = [
            f"{_mean(one.features[rate] for one in own if one.features):.2%}"
            if own[0].features
            else NONE
            for rate in range(rates)
        ]
        edge, recall = _mean(one.edge for one in own), _mean(one.watched_recall for one in own)
        rows.append((name, f"{edge:.2%}", *cells, f"{recall:.2%}"))
    watched = " and ".join(map(str, WATCHED))
    return [
        ResultTable(
            title="classification: accuracy without parts of the training, on test",
            columns=(
                "training",
                "edge",
                *(f"features at rate {rate}" for rate in range(rates)),
                f"edge's recall of {watched}",
            ),
            rows=rows,
        )
    ]


def _ways(task: str, findings: Sequence[Finding]) -> ResultTable:
    cloud = mean_of([one.cloud_accuracy for one in findings])
    rows = [
        ("cloud, uncompressed input", _percent(cloud["mean"], cloud["low_95"]), NONE, NONE, NONE)
    ]
    for place, way in enumerate(findings[0].ways):
        points = [one.ways[place] for one in findings]
        right = mean_of([one.right for one in points])
        rows.append(
            (
                way.name,
                _percent(right["mean"], right["low_95"]),
                f"{_mean(one.bytes_sent for one in points):.0f}",
                f"{_mean(one.edge_flops for one in points) / 1e6:.2f}",
                f"{_mean(one.cloud_flops for one in points) / 1e6:.2f}",
            )
        )
    return ResultTable(
        title=f"{task}: each way for all test inputs; frames' headers included",
        columns=("way", _merit(task), "bytes", "edge MFLOPs", "cloud MFLOPs"),
        rows=rows,
    )


def _tradeoffs(task: str, findings: Sequence[Finding]) -> ResultTable:
    rows = [_tradeoff(name, share, findings) for share in BUDGETS for name in ARCHITECTURES]
    return ResultTable(
        title=f"{task}: the best points by validation that send at most a share of every input as "
        f"JPEG, on test; the claims are Dynamic's at {CLAIMED:.1%}; bare JPEG has no tables",
        columns=(
            "at most",
            "architecture",
            _merit(task),
            "kept",
            "bytes",
            "saved",
            "of bare",
            "edge MFLOPs",
            "cloud",
            "offloaded",
        ),
        rows=rows,
    )


def _tradeoff(name: str, share: float, findings: Sequence[Finding]) -> tuple[str, ...]:
    points = [found.fronts.within[name][share] for found in findings]
    kept = savings(findings, name, share)
    right = mean_of([one.right for one in points])
    return (
        f"{share:.1%}",
        name,
        _percent(right["mean"], right["low_95"]),
        f"{_mean(one.accuracy_kept for one in kept):.3f}",
        f"{_mean(one.bytes_sent for one in points):.0f}",
        f"{_mean(one.bytes for one in kept):.1%}",
        f"{_mean(one.bare_bytes for one in kept):.1%}",
        f"{_mean(one.edge_flops for one in points) / 1e6:.2f}",
        f"{_mean(one.cloud_flops for one in points) / 1e6:.2f}",
        f"{_mean(one.offload_rate for one in points):.0%}",
    )


def _gates(task: str, findings: Sequence[Finding]) -> ResultTable:
    places = [RATES.index(min(RATES, key=lambda one: abs(one - rate))) for rate in SHOWN_RATES]
    best = [found.gates.best for found in findings]
    rows = []
    for name in findings[0].gates.curves:
        curves = [found.gates.curves[name] for found in findings]
        cells = [f"{_mean(curve[place] for curve in curves):.1%}" for place in places]
        area = f"{_mean(statistics.fmean(curve) for curve in curves):.2%}"
        chosen = f"{best.count(name)} of {len(best)}" if name in best else ""
        rows.append((name, *cells, area, chosen))
    return ResultTable(
        title=f"{task}: {_merit(task)} against offload rate, the input sent; 0 % is edge only, "
        "100 % cloud only, the oracle bounds all",
        columns=("gate", *(f"{rate:.0%}" for rate in SHOWN_RATES), "mean", "best by validation"),
        rows=rows,
    )


def _sedna(task: str, findings: Sequence[Finding]) -> ResultTable:
    rows = []
    for name, values in sedna_differences(findings).items():
        points = [one for found in findings for one in found.gates.sedna if one.name == name]
        difference = mean_of(values)
        rows.append(
            (
                name,
                f"{_mean(one.offload_rate for one in points):.1%}",
                f"{_mean(one.accuracy for one in points):.2%}",
                f"{_mean(one.ours for one in points):.2%}",
                _percent(difference["mean"], difference["low_95"], digits=2),
            )
        )
    return ResultTable(
        title=f"{task}: Sedna's gates, and our best at the same offload rate",
        columns=("gate", "offloaded", _merit(task), "ours", "difference"),
        rows=rows,
    )


def _deadlines(task: str, findings: Sequence[Finding]) -> ResultTable:
    rows = []
    for row in zip(*(found.deadlines for found in findings), strict=True):
        rows.append(
            (
                f"{row[0].bandwidth_bytes_per_s / 1000:g}",
                f"{_mean(one.input_only for one in row):.2%}",
                f"{_mean(one.input_only_rate for one in row):.0%}",
                f"{_mean(one.any_way for one in row):.2%}",
                f"{_mean(one.any_way_rate for one in row):.0%}",
            )
        )
    return ResultTable(
        title=f"{task}: the deadline-aware gate, {HARD:.0%} hard, answers within "
        f"{DEADLINE_S * 1000:g} ms of which {(ROUND_TRIP_S + CLOUD_S) * 1000:g} are the round trip "
        "and the cloud",
        columns=(
            "kB/s",
            f"{_merit(task)}, input only",
            "handed on",
            f"{_merit(task)}, any way",
            "handed on",
        ),
        rows=rows,
    )


def _jpeg(task: str, findings: Sequence[Finding]) -> ResultTable:
    rows = []
    for place, one in enumerate(findings[0].jpegs):
        tried = [found.jpegs[place] for found in findings]
        taken = sum(found.jpeg == one.setting for found in findings)
        rows.append(
            (
                one.setting.name,
                f"{_mean(other.accuracy for other in tried):.2%}",
                f"{_mean(other.bytes for other in tried):.0f}",
                f"{taken} of {len(findings)}" if taken else "",
            )
        )
    return ResultTable(
        title=f"{task}: what JPEG leaves the cloud, on validation data",
        columns=("quality, colours", _merit(task), "bytes", "taken"),
        rows=rows,
    )


def _merit(task: str) -> str:
    return "mAP" if task == "detection" else "accuracy"


def _mean(values: Iterable[float]) -> float:
    return statistics.fmean(values)


def _percent(mean: float, low: float | None, digits: int = 1) -> str:
    half = "" if low is None else f" ±{100 * (mean - low):.{digits}f}"
    return f"{mean:.{digits}%}{half}"
