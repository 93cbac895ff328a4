"""What the measurements say: the claims."""

import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from edgestill.allocation import Level
from edgestill.allocation.score import latency_score
from edgestill.jobs.benchmarks.form import Claim, Measured, at_least
from edgestill.jobs.benchmarks.intervals import Mean, mean_of
from edgestill.jobs.benchmarks.racmkd.figures import (
    ablation_table,
    charts,
    comparator_table,
    level_table,
    precision_table,
)
from edgestill.jobs.benchmarks.racmkd.plan import LEVELS, POSTER, Amount
from edgestill.jobs.benchmarks.racmkd.students import COMPARATORS
from edgestill.jobs.benchmarks.racmkd.summary import methods_at
from edgestill.jobs.benchmarks.racmkd.tasks import ABLATIONS, OURS, Outcome
from edgestill.jobs.benchmarks.racmkd.trace import Moment, served

TEACHER = "teacher"
TARGET_SHARE = 20.0 / 128.7
"""The score's target latency against the teacher's: 20 ms beside the poster's 128.7 ms."""

Bills = Mapping[str, Mapping[str, Any]]


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
                plan.name: methods_at(plan.name, outcomes) for plan in (*LEVELS, *POSTER)
            },
            "gain_over_comparators": gains,
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
            level_table(rows),
            comparator_table(outcomes),
            ablation_table(ablation),
            precision_table(rounding),
        ],
        charts=charts(rows, outcomes, moments, ablation),
    )


def _teacher_row(teachers: Mapping[int, float], bills: Bills) -> dict[str, Any]:
    values = list(teachers.values())
    return {**_scored(mean_of(values), bills[TEACHER], bills), "retention": 1.0}


def _row(
    level: str, teachers: Mapping[int, float], outcomes: Sequence[Outcome], bills: Bills
) -> dict[str, Any]:
    of_level = [one for one in outcomes if one.level == level]
    ours = [one.test[OURS] for one in of_level]
    retentions = mean_of([one.test[OURS] / teachers[one.seed] for one in of_level])
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
        **_scored(mean_of(ours), own, bills),
        "retention": retentions["mean"],
        "retention_low_95": retentions["low_95"],
        "retention_high_95": retentions["high_95"],
        **saved,
    }


def _scored(accuracy: Mean, own: Mapping[str, Any], bills: Bills) -> dict[str, Any]:
    mean = accuracy["mean"]
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


def _gains(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return how far ours is ahead of the comparators.

    ``over_best`` is the mean over levels against the one comparator that is best over all levels;
    ``over_best_of_each_level`` is stricter, against whichever happens to be best at each.
    """
    found = [one for one in outcomes if one.level in {plan.name for plan in LEVELS}]
    of_levels = {
        plan.name: {
            name: mean_of([o.test[OURS] - o.test[name] for o in found if o.level == plan.name])
            for name in COMPARATORS
        }
        for plan in LEVELS
    }
    of_each = {name: mean_of(_over_levels(found, name)) for name in COMPARATORS}
    best = min(COMPARATORS, key=lambda name: of_each[name]["mean"])
    least = [min(one["mean"] for one in level.values()) for level in of_levels.values()]
    return {
        "levels": of_levels,
        "mean_over_levels": of_each,
        "best_comparator": best,
        "over_best": of_each[best],
        "over_best_of_each_level": statistics.fmean(least),
    }


def _over_levels(outcomes: Sequence[Outcome], name: str) -> list[float]:
    """Return by seed the mean over levels of what ours is ahead of a comparator."""
    return [
        statistics.fmean(o.test[OURS] - o.test[name] for o in outcomes if o.seed == seed)
        for seed in sorted({one.seed for one in outcomes})
    ]


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
            "accuracy_over_levels": mean_of(means),
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
            float(gains["over_best"]["mean"]),
            "of accuracy 0..1, mean over levels",
        ),
        _positive(
            "racmkd_best_comparator_gain_at_each_level",
            float(gains["over_best_of_each_level"]),
            "of accuracy 0..1, over the best at each level",
        ),
    ]


def _positive(name: str, value: float, unit: str) -> Claim:
    """Return the claim that a value is above 0."""
    return Claim(id=name, value=value, target=0.0, unit=f"{unit}, above 0", holds=value > 0.0)
