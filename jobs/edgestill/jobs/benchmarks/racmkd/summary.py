"""Means with their intervals, over seeds."""

from collections.abc import Sequence

from edgestill.jobs.benchmarks.intervals import Mean, mean_of
from edgestill.jobs.benchmarks.racmkd.students import COMPARATORS
from edgestill.jobs.benchmarks.racmkd.tasks import OURS, Outcome


def methods_at(level: str, outcomes: Sequence[Outcome]) -> dict[str, dict[str, Mean]]:
    """Return the accuracies of ours and of each comparator at a level."""
    of_level = [one for one in outcomes if one.level == level]
    return {
        name: {
            "accuracy": mean_of([one.test[name] for one in of_level]),
            "validation_accuracy": mean_of([one.validation[name] for one in of_level]),
        }
        for name in (OURS, *COMPARATORS)
    }
