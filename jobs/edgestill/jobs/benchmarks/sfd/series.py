"""Means with their intervals, as curves and as cells."""

from collections.abc import Sequence

from edgestill.jobs.benchmarks.charts import Series
from edgestill.jobs.benchmarks.intervals import Mean


def series_of(name: str, places: Sequence[float | str], means: Sequence[Mean]) -> Series:
    """Return a series with its intervals; with none where there was one seed."""
    single = any(one["low_95"] is None for one in means)
    return Series(
        name=name,
        x=places,
        y=[one["mean"] for one in means],
        low=None if single else [one["low_95"] for one in means],
        high=None if single else [one["high_95"] for one in means],
    )


def shown(mean: Mean, digits: int = 3) -> str:
    """Return a mean and half of its interval, for a table."""
    low = mean["low_95"]
    return f"{mean['mean']:.{digits}f}" + (
        "" if low is None else f" ± {mean['mean'] - low:.{digits}f}"
    )
