"""Means with their intervals, over seeds."""

import statistics
from collections.abc import Sequence

from scipy.stats import t as student_t

from edgestill.jobs.benchmarks.racmkd.students import COMPARATORS
from edgestill.jobs.benchmarks.racmkd.tasks import OURS, Outcome

Summary = dict[str, float | None]


def interval(values: Sequence[float]) -> Summary:
    """Return mean and 95 % interval (Student's t); None for its ends with a single value."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return {"mean": mean, "low_95": None, "high_95": None}
    half = float(student_t.ppf(0.975, len(values) - 1)) * statistics.stdev(values)
    half /= len(values) ** 0.5
    return {"mean": mean, "low_95": mean - half, "high_95": mean + half}


def methods_at(level: str, outcomes: Sequence[Outcome]) -> dict[str, dict[str, Summary]]:
    """Return the accuracies of ours and of each comparator at a level."""
    of_level = [one for one in outcomes if one.level == level]
    return {
        name: {
            "accuracy": interval([one.test[name] for one in of_level]),
            "validation_accuracy": interval([one.validation[name] for one in of_level]),
        }
        for name in (OURS, *COMPARATORS)
    }
