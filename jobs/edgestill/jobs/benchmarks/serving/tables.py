"""The figures as tables for people."""

import statistics
from collections.abc import Sequence

from edgestill.jobs.benchmarks.form import ResultTable
from edgestill.jobs.benchmarks.serving.amount import OURS, Amount
from edgestill.jobs.benchmarks.serving.contest import Turn, Turns
from edgestill.jobs.benchmarks.serving.measurements import Found

TITLES = {
    OURS: "edgestill serve",
    "fastapi": "FastAPI, async def",
    "fastapi_threads": "FastAPI, def",
    "ray_serve": "Ray Serve",
    "ray_serve_batch": "Ray Serve, batched",
    "http_alone": "uvicorn alone, no model",
}
"""Of the sides, for people."""

_NONE = "-"


def tables(amount: Amount, found: Found) -> list[ResultTable]:
    """Return throughput, latency, links, outage and bad frames."""
    return [
        _throughput(amount, found),
        _latency(f"latency at {found.equal_per_s:g} requests/s, ms", found.equal),
        _latency(f"latency at {found.higher_per_s:g} requests/s, ms", found.higher),
        _links(found),
        _outage(found),
        _bad_frames(found),
    ]


def _throughput(amount: Amount, found: Found) -> ResultTable:
    rows = []
    for name in amount.sides:
        if name in found.reasons:
            rows.append((TITLES[name], *[_NONE] * len(amount.connections), found.reasons[name]))
            continue
        each = [found.closed[count][name] for count in amount.connections]
        cpu_ms = statistics.median(turn.cpu_ms for turn in each[-1])
        cells = [f"{statistics.median(t.per_s for t in rounds):.0f}" for rounds in each]
        rows.append((TITLES[name], *cells, f"{cpu_ms:.2f}"))
    return ResultTable(
        title="answers per second by connections (median of rounds)",
        columns=("side", *map(str, amount.connections), "CPU ms per answer"),
        rows=rows,
    )


def _latency(title: str, turns: Turns) -> ResultTable:
    def row(name: str, rounds: Sequence[Turn]) -> tuple[str, ...]:
        p99_ms = [turn.p99_ms for turn in rounds]
        return (
            TITLES[name],
            f"{statistics.median(turn.p50_ms for turn in rounds):.2f}",
            f"{statistics.median(p99_ms):.2f}",
            f"{min(p99_ms):.2f} to {max(p99_ms):.2f}",
            str(sum(turn.failed for turn in rounds)),
        )

    return ResultTable(
        title=title,
        columns=("side", "median", "99th percentile", "over rounds", "failed"),
        rows=[row(name, rounds) for name, rounds in turns.items()],
    )


def _links(found: Found) -> ResultTable:
    rows = [
        (
            f"{one.bytes_per_s / 1e3:g} kB/s",
            f"{1e3 * one.deadline_s:g}",
            f"{one.by_cloud_in_time:.0%}",
            ", ".join(f"{rate}: {count}" for rate, count in one.rates.items()) or _NONE,
            f"{one.sent_bytes:.0f}",
            f"{one.p50_ms:.1f}",
            f"{one.p99_ms:.1f}",
            str(one.late),
        )
        for one in found.links
    ]
    columns = ("link", "deadline ms", "by the cloud in time", "sent at rate", "bytes")
    return ResultTable(
        title="a device over links",
        columns=(*columns, "median ms", "99th percentile ms", "late"),
        rows=rows,
    )


def _outage(found: Found) -> ResultTable:
    outage = found.outage
    first_s = outage.asked[0].at_s if outage.asked else 0.0
    rows = [
        (
            f"{kill.at_s - first_s:.1f}",
            f"{kill.back_s - kill.at_s:.1f}",
            _NONE if again_s is None else f"{again_s:.1f}",
        )
        for kill, again_s in zip(outage.kills, outage.answers_again_s, strict=True)
    ]
    return ResultTable(
        title=f"the cloud killed under load: {outage.lost} of {outage.inputs} answers lost, "
        f"{outage.late} beyond {1e3 * outage.deadline_s:g} ms",
        columns=("killed at s", "process back after s", "answers again after s"),
        rows=rows,
    )


def _bad_frames(found: Found) -> ResultTable:
    harassed = found.harassed
    rows = [
        (kind, str(sum(statuses.values())), ", ".join(f"{s}: {n}" for s, n in statuses.items()))
        for kind, statuses in harassed.statuses.items()
    ]
    return ResultTable(
        title=f"bad frames; beside them {harassed.disturbed} of {harassed.good} good ones "
        f"disturbed, memory grew by {harassed.grown_bytes / 1e6:.1f} MB",
        columns=("kind", "sent", "statuses"),
        rows=rows,
    )
