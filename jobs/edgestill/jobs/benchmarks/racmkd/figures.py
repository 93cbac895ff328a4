"""Tables and charts of the benchmark."""

from collections.abc import Mapping, Sequence
from typing import Any

from edgestill.allocation import Level
from edgestill.jobs.benchmarks.charts import Chart, Series
from edgestill.jobs.benchmarks.form import ResultTable
from edgestill.jobs.benchmarks.racmkd.plan import LEVELS, POSTER
from edgestill.jobs.benchmarks.racmkd.students import COMPARATORS
from edgestill.jobs.benchmarks.racmkd.summary import methods_at
from edgestill.jobs.benchmarks.racmkd.tasks import OURS, Outcome
from edgestill.jobs.benchmarks.racmkd.trace import Moment


def level_table(rows: Mapping[str, Mapping[str, Any]]) -> ResultTable:
    """Return the poster's table, measured; ``kept`` is the share of the teacher's accuracy."""
    columns = (
        "level", "sees", "accuracy", "kept", "kB", "MB", "ms", "MFLOPs", "soft", "hard",
    )  # fmt: skip
    cells = [
        (
            name,
            " ".join(k[0] if r == 1 else f"{k[0]}{r:.0%}" for k, r in row["modalities"].items()),
            f"{row['accuracy']:.1%}{_half(row['accuracy'], row['accuracy_low_95'])}",
            f"{row['retention']:.3f}",
            f"{row['memory_bytes'] / 1e3:.1f}",
            f"{row['resident_bytes'] / 1e6:.1f}",
            f"{row['latency_ms']:.4f}",
            f"{row['flops_per_sample'] / 1e6:.3f}",
            f"{100 * row['score_soft']:.1f}",
            f"{100 * row['score_hard']:.1f}",
        )
        for name, row in rows.items()
    ]
    title = (
        "levels, on the test part: v(isual), a(udio), s(ensor); kB of model and activations, MB "
        "resident, scores of the MnasNet product"
    )
    return ResultTable(title=title, columns=columns, rows=cells)


def comparator_table(outcomes: Sequence[Outcome]) -> ResultTable:
    """Return the accuracies of students of the same shapes."""
    names = (OURS, *COMPARATORS)
    rows = []
    for plan in (*LEVELS, *POSTER):
        methods = methods_at(plan.name, outcomes)
        cells = [methods[name]["accuracy"] for name in names]
        rows.append(
            (plan.name, *(f"{c['mean']:.1%}{_half(c['mean'], c['low_95'])}" for c in cells))
        )
    return ResultTable(
        title="ours and comparators of the same shapes and bits",
        columns=("level", *names),
        rows=rows,
    )


def ablation_table(ablation: Mapping[str, Any]) -> ResultTable:
    """Return what each module brings."""
    rows = [
        (
            name,
            f"{one['accuracy_over_levels']['mean']:.1%}",
            f"mean over levels; {one['accuracy_with_one_kind_missing']:.1%} with one kind missing",
        )
        for name, one in ablation["modules"].items()
    ]
    rows += [
        (name, f"{one['accuracy_in_time']:.1%}", f"in time; {one['missed_ratio']:.0%} late")
        for name, one in ablation["allocation"].items()
    ]
    return ResultTable(title="ablation", columns=("what", "accuracy", "of what"), rows=rows)


def precision_table(rounding: Sequence[Mapping[str, Any]]) -> ResultTable:
    """Return what rounding loses."""
    rows = [
        (
            f"{one['mean_bits']} bits",
            str(one["bytes"]),
            f"{one['lost_ratio_by_significance']:.1%}",
            f"{one['lost_ratio_evenly']:.1%}",
        )
        for one in rounding
    ]
    return ResultTable(
        title="shared features at few bits: energy lost by rounding",
        columns=("mean of a dimension", "bytes", "dealt by significance", "dealt evenly"),
        rows=rows,
    )


def _half(mean: float | None, low: float | None) -> str:
    return "" if mean is None or low is None else f" ±{100 * (mean - low):.1f}"


def charts(
    rows: Mapping[str, Mapping[str, Any]],
    outcomes: Sequence[Outcome],
    moments: Sequence[Moment],
    ablation: Mapping[str, Any],
) -> list[Chart]:
    """Return the figures of the page."""
    return [_latency_chart(rows), _method_chart(outcomes), _trace_chart(moments), _bars(ablation)]


def _latency_chart(rows: Mapping[str, Mapping[str, Any]]) -> Chart:
    return Chart(
        title="Accuracy against latency",
        caption="Each point is one model: stages and model, one sample, one thread of onnxruntime.",
        x_label="latency, ms",
        y_label="accuracy on the test part, %",
        series=[
            Series(
                name=name,
                x=[float(row["latency_ms"])],
                y=[100 * float(row["accuracy"])],
                low=[_percent(row["accuracy_low_95"])],
                high=[_percent(row["accuracy_high_95"])],
            )
            for name, row in rows.items()
        ],
        kind="points",
    )


def _method_chart(outcomes: Sequence[Outcome]) -> Chart:
    series = []
    for name in (OURS, *COMPARATORS):
        found = [methods_at(plan.name, outcomes)[name]["accuracy"] for plan in LEVELS]
        series.append(
            Series(
                name=name,
                x=[plan.name for plan in LEVELS],
                y=[_percent(one["mean"]) for one in found],
                low=[_percent(one["low_95"]) for one in found],
                high=[_percent(one["high_95"]) for one in found],
            )
        )
    return Chart(
        title="Students of the same shapes, taught differently",
        caption="Ours is pruned from a wide student, and taught by wide ones and the teacher.",
        x_label="level",
        y_label="accuracy on the test part, %",
        series=series,
        kind="bars",
    )


def _trace_chart(moments: Sequence[Moment]) -> Chart:
    minutes = [moment.time_s / 60 for moment in moments]
    return Chart(
        title="Load rises and falls, the levels follow",
        caption="Threshold policy on the virtual clock. 3 high, 2 medium, 1 low, 0 critical.",
        x_label="virtual time, minutes",
        y_label="level, and load x 3",
        series=[
            Series(name="load x 3", x=minutes, y=[3 * moment.load for moment in moments]),
            Series(
                name="level",
                x=minutes,
                y=[float(len(Level) - 1 - moment.level.severity) for moment in moments],
            ),
        ],
    )


def _bars(ablation: Mapping[str, Any]) -> Chart:
    modules = {k: one["accuracy_over_levels"] for k, one in ablation["modules"].items()}
    allocation = {k: one["accuracy_in_time"] for k, one in ablation["allocation"].items()}
    return Chart(
        title="Without each of the three modules",
        caption="Left: mean test accuracy over the levels. Right: accuracy of answers in time.",
        x_label="",
        y_label="accuracy, %",
        series=[
            Series(
                name="over levels",
                x=list(modules),
                y=[_percent(one["mean"]) for one in modules.values()],
                low=[_percent(one["low_95"]) for one in modules.values()],
                high=[_percent(one["high_95"]) for one in modules.values()],
            ),
            Series(
                name="in time, under load",
                x=list(allocation),
                y=[_percent(value) for value in allocation.values()],
            ),
        ],
        kind="bars",
    )


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value
