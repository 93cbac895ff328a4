"""The figures as charts."""

import statistics

from edgestill.jobs.benchmarks.charts import Chart, Series
from edgestill.jobs.benchmarks.serving.contest import Turn, percentile
from edgestill.jobs.benchmarks.serving.measurements import Found
from edgestill.jobs.benchmarks.serving.tables import TITLES

_SHARES = (*(n / 20 for n in range(1, 20)), 0.98, 0.99, 0.995, 0.999)


def charts(found: Found) -> list[Chart]:
    """Return the latencies' distribution, the throughput by connections, and the outage."""
    return [_distribution(found), _throughput(found), _outage(found)]


def _distribution(found: Found) -> Chart:
    series = []
    for name, rounds in found.equal.items():
        latencies = sorted(latency for turn in rounds for latency in turn.latencies_ms)
        series.append(
            Series(
                name=TITLES[name],
                x=[percentile(latencies, share) for share in _SHARES] if latencies else [],
                y=list(_SHARES) if latencies else [],
            )
        )
    return Chart(
        title=f"Latency at {found.equal_per_s:g} requests per second",
        caption="Share of requests answered within a time, all rounds together; further left is "
        "better. The load arrives at random moments, the same for every side.",
        x_label="latency, ms",
        y_label="share of requests answered",
        series=series,
        logarithmic_x=True,
    )


def _throughput(found: Found) -> Chart:
    counts = list(found.closed)
    series = []
    for name in next(iter(found.closed.values())):
        rounds = [[turn.per_s for turn in _of(found, count, name)] for count in counts]
        series.append(
            Series(
                name=TITLES[name],
                x=counts,
                y=[statistics.median(values) for values in rounds],
                low=[min(values) for values in rounds],
                high=[max(values) for values in rounds],
            )
        )
    return Chart(
        title="Throughput",
        caption="Answers per second with so many requests at once: medians, and the least and "
        "the most of all rounds.",
        x_label="connections",
        y_label="answers per second",
        series=series,
        logarithmic_x=True,
    )


def _of(found: Found, count: int, name: str) -> list[Turn]:
    return list(found.closed[count][name])


def _outage(found: Found) -> Chart:
    asked = found.outage.asked
    first_s = asked[0].at_s if asked else 0.0
    kills = ", ".join(f"{kill.at_s - first_s:.1f} s" for kill in found.outage.kills)
    series = [
        Series(
            name=title,
            x=[round(one.at_s - first_s, 3) for one in asked if (one.by == "edge") == own],
            y=[round(1e3 * one.elapsed_s, 2) for one in asked if (one.by == "edge") == own],
        )
        for title, own in (("answered by the cloud", False), ("by the device itself", True))
    ]
    return Chart(
        title="The cloud killed and started again",
        caption=f"Every answer that the devices had; the cloud was killed at {kills}. The deadline "
        f"is {1e3 * found.outage.deadline_s:g} ms.",
        x_label="time, s",
        y_label="time to the answer, ms",
        series=series,
        kind="points",
    )
