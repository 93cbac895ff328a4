"""What the measurements say: the claims."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from edgestill.jobs.benchmarks.form import Claim, Measured, at_least, at_most
from edgestill.jobs.benchmarks.serving.amount import FASTAPI, OURS, Amount
from edgestill.jobs.benchmarks.serving.contest import Turn, Turns
from edgestill.jobs.benchmarks.serving.figures import charts
from edgestill.jobs.benchmarks.serving.killing import Outage
from edgestill.jobs.benchmarks.serving.measurements import Found, Harassed
from edgestill.jobs.benchmarks.serving.tables import tables

_CRASHES = ("0", "500")
"""Statuses that no bad frame may have: no answer at all, and a fault of the service."""


def judged(amount: Amount, found: Found) -> Measured:
    """Return the figures and what they say about the claims."""
    slowness = p99_ratios(found.equal)
    speed = throughput_ratios(found.closed)
    return Measured(
        configuration={
            **amount.plain(),
            "equal_load_per_s": found.equal_per_s,
            "higher_load_per_s": found.higher_per_s,
        },
        results={
            "closed_loop": {
                f"{count}_connections": _plain(turns) for count, turns in found.closed.items()
            },
            "open_loop_equal_load": _plain(found.equal),
            "open_loop_higher_load": _plain(found.higher),
            "p99_ratio_vs_fastapi": {"by_round": slowness, **_spread(slowness)},
            "p99_ratio_vs_fastapi_at_higher_load": _spread(p99_ratios(found.higher)),
            "throughput_ratio_vs_fastapi": {"by_round": speed, **_spread(speed)},
            "missing_sides": dict(found.reasons),
            "links": [asdict(one) for one in found.links],
            "cloud_killed": _outage(found.outage),
            "bad_frames": asdict(found.harassed),
        },
        claims=_claims(found, slowness, speed),
        tables=tables(amount, found),
        charts=charts(found),
    )


def p99_ratios(turns: Turns) -> list[float]:
    """Return round by round our 99th percentile over the better FastAPI's."""
    rival = min(FASTAPI, key=lambda name: statistics.median(t.p99_ms for t in turns[name]))
    return [own.p99_ms / other.p99_ms for own, other in zip(turns[OURS], turns[rival], strict=True)]


def throughput_ratios(closed: Mapping[int, Turns]) -> list[float]:
    """Return round by round our most answers per second over the better FastAPI's most."""
    rival = _fastest(closed, FASTAPI)
    own = _fastest(closed, [OURS])
    return [
        ours.per_s / other.per_s if other.per_s else float("nan")
        for ours, other in zip(own, rival, strict=True)
    ]


def crashes(harassed: Harassed) -> int:
    """Return the bad frames that harmed: no answer, a fault, or the end of the process."""
    met = sum(
        count
        for statuses in harassed.statuses.values()
        for status, count in statuses.items()
        if status in _CRASHES
    )
    return met + (not harassed.same_process)


def _fastest(closed: Mapping[int, Turns], names: Sequence[str]) -> Sequence[Turn]:
    """Return the rounds of the side and the number of connections with the most answers."""
    every = [turns[name] for turns in closed.values() for name in names]
    return max(every, key=lambda rounds: statistics.median(turn.per_s for turn in rounds))


def _plain(turns: Turns) -> dict[str, Any]:
    return {
        name: {
            "requests_per_s": _spread([turn.per_s for turn in rounds]),
            "p50_ms": _spread([turn.p50_ms for turn in rounds]),
            "p99_ms": _spread([turn.p99_ms for turn in rounds]),
            "cpu_ms_per_answer": _spread([turn.cpu_ms for turn in rounds]),
            "answers": sum(len(turn.latencies_ms) for turn in rounds),
            "failed": sum(turn.failed for turn in rounds),
        }
        for name, rounds in turns.items()
    }


def _spread(values: Sequence[float]) -> dict[str, float | None]:
    """Return the median and both ends; None where a round had no answers."""
    known = [value for value in values if value == value]
    if not known:
        return {"median": None, "least": None, "most": None}
    return {"median": statistics.median(known), "least": min(known), "most": max(known)}


def _outage(outage: Outage) -> dict[str, Any]:
    first_s = outage.asked[0].at_s if outage.asked else 0.0
    return {
        "inputs": outage.inputs,
        "deadline_s": outage.deadline_s,
        "lost": outage.lost,
        "late": outage.late,
        "slowest_s": max((one.elapsed_s for one in outage.asked), default=None),
        "by_cloud": sum(one.by != "edge" for one in outage.asked) / max(1, len(outage.asked)),
        "killed_at_s": [kill.at_s - first_s for kill in outage.kills],
        "process_back_after_s": [kill.back_s - kill.at_s for kill in outage.kills],
        "cloud_answers_again_after_s": outage.answers_again_s,
    }


def _claims(found: Found, slowness: Sequence[float], speed: Sequence[float]) -> list[Claim]:
    outage, inputs = found.outage, f"of {found.outage.inputs} answers"
    sent = sum(sum(statuses.values()) for statuses in found.harassed.statuses.values())
    good = found.harassed.good
    return [
        at_most(
            "serving_p99_ratio_vs_fastapi", statistics.median(slowness), 2.0, "of FastAPI's p99"
        ),
        at_least(
            "serving_throughput_ratio_vs_fastapi",
            statistics.median(speed),
            1.0,
            "of FastAPI's answers/s",
        ),
        at_most("answers_lost_while_cloud_is_down", outage.lost, 0.0, inputs),
        at_most("answers_late_while_cloud_is_down", outage.late, 0.0, inputs),
        at_most("bad_frames_crashes", crashes(found.harassed), 0.0, f"of {sent} frames"),
        at_most("bad_frames_disturbed_others", found.harassed.disturbed, 0.0, f"of {good} answers"),
    ]
