"""Everything that is measured, one part after the other."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from edgestill.jobs.benchmarks.serving.amount import FASTAPI, OURS, Amount
from edgestill.jobs.benchmarks.serving.contest import (
    SEED,
    Turns,
    best_per_s,
    closed_loops,
    equal_rate_per_s,
    open_loops,
    warm_up,
)
from edgestill.jobs.benchmarks.serving.devices import Devices
from edgestill.jobs.benchmarks.serving.generator import Generator
from edgestill.jobs.benchmarks.serving.killing import Outage, under_kills
from edgestill.jobs.benchmarks.serving.links import OverLink, over_links
from edgestill.jobs.benchmarks.serving.model import write_frames
from edgestill.jobs.benchmarks.serving.sides import Side, serving_sides

SHARE_OF_FASTAPI = 0.5
"""Arrivals per second at the higher load, of what FastAPI or ours answers at most."""

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Harassed:
    """What came of bad frames.

    Attributes:
        statuses: how often each, by kind of bad frame; 0 is a request without answer.
        good: frames of another client meanwhile.
        disturbed: of these, without an answer or with another than before.
        same_process: whether the process that served before them serves after them.
        grown_bytes: by which its memory grew.
    """

    statuses: Mapping[str, Mapping[str, int]]
    good: int
    disturbed: int
    same_process: bool
    grown_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All of it.

    Attributes:
        reasons: why a side is missing.
        closed: by the number of connections.
        equal_per_s: arrivals that all sides sustain.
        equal: what they met then.
        higher_per_s: arrivals that ours and FastAPI sustain.
        higher: what these met then.
        links: of one device each.
        outage: while the cloud was killed.
        harassed: by bad frames.
    """

    reasons: Mapping[str, str]
    closed: Mapping[int, Turns]
    equal_per_s: float
    equal: Turns
    higher_per_s: float
    higher: Turns
    links: Sequence[OverLink]
    outage: Outage
    harassed: Harassed


def measured_sides(folder: Path, amount: Amount, told: Told) -> Found:
    """Measure with the model of a folder; all processes are ended, whatever happens.

    Raises:
        RunError: ours does not start, does not come back, or a process of the load ends early.
    """
    with ExitStack() as stack:
        told("sides start")
        sides, reasons = stack.enter_context(serving_sides(folder, amount.sides))
        generator = Generator(write_frames(folder), folder)
        stack.callback(generator.close)
        warm_up(sides, generator)
        closed = closed_loops(sides, generator, amount, told)
        equal_per_s, higher_per_s = equal_rate_per_s(closed), _higher_rate_per_s(closed)
        told(f"latency at {equal_per_s:g} requests/s")
        equal = open_loops(sides, generator, amount, equal_per_s)
        told(f"latency at {higher_per_s:g} requests/s")
        higher = open_loops(_few(sides), generator, amount, higher_per_s)
        for name, side in sides.items():
            if name != OURS:
                side.host.close()
        devices = Devices(folder)
        stack.callback(devices.close)
        links = over_links(sides[OURS].port, devices, amount, told)
        outage = under_kills(sides[OURS], devices, amount, told)
        told(f"{amount.bad_frames} bad frames")
        harassed = _harass(sides[OURS], generator, amount)
    return Found(
        reasons=reasons,
        closed=closed,
        equal_per_s=equal_per_s,
        equal=equal,
        higher_per_s=higher_per_s,
        higher=higher,
        links=links,
        outage=outage,
        harassed=harassed,
    )


def _few(sides: Mapping[str, Side]) -> dict[str, Side]:
    return {name: side for name, side in sides.items() if name in (OURS, *FASTAPI)}


def _higher_rate_per_s(closed: Mapping[int, Turns]) -> float:
    """Return a rate that ours and both forms of FastAPI sustain."""
    least = min(best_per_s(closed, name) for name in (OURS, *FASTAPI))
    return max(1.0, math.floor(SHARE_OF_FASTAPI * least))


def _harass(ours: Side, generator: Generator, amount: Amount) -> Harassed:
    process = psutil.Process(ours.replica_pid())
    before = process.memory_info().rss
    found: dict[str, Any] = generator.bad(ours.port, count=amount.bad_frames, seed=SEED)
    same = ours.replica_pid() == process.pid
    return Harassed(
        statuses=found["statuses"],
        good=found["asked"],
        disturbed=found["disturbed"],
        same_process=same,
        grown_bytes=process.memory_info().rss - before if same else 0,
    )
