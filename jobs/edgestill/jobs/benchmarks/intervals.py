"""The 95 % interval of a mean over seeds, by Student's t."""

import statistics
from collections.abc import Sequence
from typing import TypedDict

from scipy.stats import t as student_t


class Interval(TypedDict):
    """The ends of the interval, in the unit of the values; None of a single value."""

    low_95: float | None
    high_95: float | None


class Mean(Interval):
    """A mean with the ends of its interval."""

    mean: float


def interval(values: Sequence[float]) -> Interval:
    """Return the 95 % interval of the mean (Student, Biometrika 1908).

    Args:
        values: one of each seed, at least one; a single one has no interval, its ends are None.

    Raises:
        ValueError: no values.
    """
    mean = statistics.fmean(values)
    if len(values) == 1:
        return {"low_95": None, "high_95": None}
    error = statistics.stdev(values) / len(values) ** 0.5
    half = float(student_t.ppf(0.975, len(values) - 1)) * error
    return {"low_95": mean - half, "high_95": mean + half}


def mean_of(values: Sequence[float]) -> Mean:
    """Return the mean with its 95 % interval, as :func:`interval`.

    Raises:
        ValueError: no values.
    """
    return {"mean": statistics.fmean(values), **interval(values)}
