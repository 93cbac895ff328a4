"""What the measurements say: claims, tables and figures."""

import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from scipy.stats import t as student_t

from edgestill.allocation import Level
from edgestill.allocation.score import latency_score
from edgestill.jobs.benchmarks.charts import Chart, Series
from edgestill.jobs.benchmarks.form import Claim, Measured, ResultTable, at_least
from edgestill.jobs.benchmarks.racmkd.plan import LEVELS, POSTER, Amount
from edgestill.jobs.benchmarks.racmkd.students import COMPARATORS
from edgestill.jobs.benchmarks.racmkd.tasks import ABLATIONS, OURS, Outcome
from edgestill.jobs.benchmarks.racmkd.trace import Moment, served

TEACHER = "teacher"
TARGET_SHARE = 20.0 / 128.7
"""The score's target latency against the teacher's: 20 ms beside the poster's 128.7 ms."""

Bills = Mapping[str, Mapping[str, Any]]
Summary = dict[str, float | None]


def judged(
    amount: Amount,
    teachers: Mapping[int, float],
    outcomes: Sequence[Outcome],
    bills: Bills,
    moments: Sequence[Moment],
    rounding: Sequence[Mapping[str, Any]],
) -> Measured:
    """Return the figures and what they say about the claims.

    Args:
        amount: what was done.
        teachers: test accuracy by seed.
        outcomes: of every level and seed.
        bills: what teacher and levels cost, by name.
        moments: of the run in which the load rises and falls.
        rounding: what shared features lose at few bits.
    """
    rows = {TEACHER: _teacher_row(teachers, bills)}
    for plan in (*LEVELS, *POSTER):
        rows[plan.name] = _row(plan.name, teachers, outcomes, bills)
    gains = _gains(outcomes)
    shown = {plan.name: float(rows[plan.name]["accuracy"]) for plan in LEVELS}
    following = served(moments, shown, {name: float(bills[name]["latency_ms"]) for name in shown})
    ablation = _ablation(outcomes, following)
    return Measured(
        configuration=amount.to_plain(),
        results={
            "levels": rows,
            "comparators": {
                plan.name: _methods(plan.name, outcomes) for plan in (*LEVELS, *POSTER)
            },
            "gain_over_best_comparator": gains,
            "ablation": ablation,
            "precision_by_significance": list(rounding),
            "load": {
                **following,
                "trace": [
                    {"time_s": m.time_s, "load_ratio": m.load, "level": m.level.value}
                    for m in moments
                ],
            },
        },
        claims=_claims(rows, gains),
        tables=[
            _level_table(rows),
            _comparator_table(outcomes),
            _ablation_table(ablation),
            _precision_table(rounding),
        ],
        charts=_charts(rows, outcomes, moments, ablation),
    )


def interval(values: Sequence[float]) -> Summary:
    """Return mean and 95 % interval (Student's t); None for its ends with a single value."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return {"mean": mean, "low_95": None, "high_95": None}
    half = float(student_t.ppf(0.975, len(values) - 1)) * statistics.stdev(values)
    half /= len(values) ** 0.5
    return {"mean": mean, "low_95": mean - half, "high_95": mean + half}


def _teacher_row(teachers: Mapping[int, float], bills: Bills) -> dict[str, Any]:
    values = list(teachers.values())
    return {**_scored(interval(values), bills[TEACHER], bills), "retention": 1.0}


def _row(
    level: str, teachers: Mapping[int, float], outcomes: Sequence[Outcome], bills: Bills
) -> dict[str, Any]:
    of_level = [one for one in outcomes if one.level == level]
    ours = [one.test[OURS] for one in of_level]
    retentions = interval([one.test[OURS] / teachers[one.seed] for one in of_level])
    own, whole = bills[level], bills[TEACHER]
    saved = {
        f"{key}_saved": 1.0 - float(own[name]) / float(whole[name])
        for key, name in (
            ("memory", "memory_bytes"),
            ("resident", "resident_bytes"),
            ("latency", "latency_ms"),
            ("flops", "flops_per_sample"),
        )
    }
    return {
        **_scored(interval(ours), own, bills),
        "retention": retentions["mean"],
        "retention_low_95": retentions["low_95"],
        "retention_high_95": retentions["high_95"],
        **saved,
    }


def _scored(accuracy: Summary, own: Mapping[str, Any], bills: Bills) -> dict[str, Any]:
    mean = float(accuracy["mean"] or 0.0)
    target_ms = TARGET_SHARE * float(bills[TEACHER]["latency_ms"])
    latency_ms = float(own["latency_ms"])
    return {
        "accuracy": mean,
        "accuracy_low_95": accuracy["low_95"],
        "accuracy_high_95": accuracy["high_95"],
        **own,
        "score_soft": latency_score(mean, latency_ms, target_ms),
        "score_hard": latency_score(mean, latency_ms, target_ms, within=0.0, beyond=-1.0),
    }


def _methods(level: str, outcomes: Sequence[Outcome]) -> dict[str, dict[str, Summary]]:
    of_level = [one for one in outcomes if one.level == level]
    return {
        name: {
            "accuracy": interval([one.test[name] for one in of_level]),
            "validation_accuracy": interval([one.validation[name] for one in of_level]),
        }
        for name in (OURS, *COMPARATORS)
    }


def _gains(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return how far ours is ahead of each level's best comparator, and the mean over levels."""
    of_levels, by_seed = {}, dict.fromkeys(sorted({one.seed for one in outcomes}), 0.0)
    for plan in LEVELS:
        found = [one for one in outcomes if one.level == plan.name]
        best = max(COMPARATORS, key=lambda name: statistics.fmean(o.test[name] for o in found))
        gains = {one.seed: one.test[OURS] - one.test[best] for one in found}
        of_levels[plan.name] = {"best_comparator": best, **interval(list(gains.values()))}
        for seed, gain in gains.items():
            by_seed[seed] += gain / len(LEVELS)
    return {"levels": of_levels, "mean_over_levels": interval(list(by_seed.values()))}


def _ablation(outcomes: Sequence[Outcome], following: Mapping[str, Any]) -> dict[str, Any]:
    """Return what each module brings.

    Of compression stages and alignment the accuracy over levels, of the allocator the accuracy in
    time on the run with load.
    """
    names = {plan.name for plan in LEVELS}
    outcomes = [one for one in outcomes if one.level in names and set(ABLATIONS) <= set(one.test)]
    seeds = sorted({one.seed for one in outcomes})
    found: dict[str, Any] = {}
    for name in (OURS, *ABLATIONS):
        means = [statistics.fmean(o.test[name] for o in outcomes if o.seed == s) for s in seeds]
        found[name] = {
            "accuracy_over_levels": interval(means),
            "accuracy_with_one_kind_missing": statistics.fmean(
                one.missing[name] for one in outcomes
            ),
        }
    always = {
        f"without allocation: always {level.value}": following[f"always_{level.value}"]
        for level in Level
    }
    return {"modules": found, "allocation": {"follows the load": following["follows"], **always}}


def _claims(rows: Mapping[str, Mapping[str, Any]], gains: Mapping[str, Any]) -> list[Claim]:
    high, steps = rows["high"], [float(rows[plan.name]["latency_ms"]) for plan in LEVELS]
    falls = [slow - fast for slow, fast in pairwise(steps)]
    ratio = "of the teacher's"
    return [
        at_least("racmkd_high_retention", high["retention"], 0.974, f"{ratio} accuracy"),
        at_least(
            "racmkd_critical_retention", rows["critical"]["retention"], 0.873, f"{ratio} accuracy"
        ),
        at_least("racmkd_high_memory_saved", high["memory_saved"], 0.834, ratio),
        at_least("racmkd_high_latency_saved", high["latency_saved"], 0.745, ratio),
        at_least("racmkd_high_flops_saved", high["flops_saved"], 0.865, ratio),
        _positive("racmkd_latency_falls", min(falls), "ms, smallest step"),
        _positive(
            "racmkd_best_comparator_gain",
            float(gains["mean_over_levels"]["mean"]),
            "of accuracy 0..1, mean over levels",
        ),
    ]


def _positive(name: str, value: float, unit: str) -> Claim:
    """Return the claim that a value is above 0."""
    return Claim(id=name, value=value, target=0.0, unit=f"{unit}, above 0", holds=value > 0.0)


def _level_table(rows: Mapping[str, Mapping[str, Any]]) -> ResultTable:
    columns = (
        "level", "modalities", "accuracy", "retention", "memory kB", "resident MB", "latency ms",
        "MFLOPs", "soft score", "hard score",
    )  # fmt: skip
    cells = [
        (
            name,
            ", ".join(k if r == 1 else f"{k} {r:.0%}" for k, r in row["modalities"].items()),
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
    return ResultTable(title="levels, on the test part", columns=columns, rows=cells)


def _comparator_table(outcomes: Sequence[Outcome]) -> ResultTable:
    names = (OURS, *COMPARATORS)
    rows = []
    for plan in (*LEVELS, *POSTER):
        methods = _methods(plan.name, outcomes)
        cells = [methods[name]["accuracy"] for name in names]
        rows.append(
            (plan.name, *(f"{c['mean']:.1%}{_half(c['mean'], c['low_95'])}" for c in cells))
        )
    return ResultTable(
        title="ours and comparators of the same shapes and bits",
        columns=("level", *names),
        rows=rows,
    )


def _ablation_table(ablation: Mapping[str, Any]) -> ResultTable:
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


def _precision_table(rounding: Sequence[Mapping[str, Any]]) -> ResultTable:
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


def _charts(
    rows: Mapping[str, Mapping[str, Any]],
    outcomes: Sequence[Outcome],
    moments: Sequence[Moment],
    ablation: Mapping[str, Any],
) -> list[Chart]:
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
        found = [_methods(plan.name, outcomes)[name]["accuracy"] for plan in LEVELS]
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
