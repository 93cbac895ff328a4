"""What size costs: seconds per round and memory, up to 10,000 participants of 100,000 devices.

Each size runs in a process of its own, so that its peaks are its own. The work is the small
network of ``bench simulation``, on 64 samples that each device draws.
"""

import math
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgestill.config import dump
from edgestill.jobs.benchmarks.form import Claim, Measured, ResultTable, at_most
from edgestill.jobs.benchmarks.peers.sides import Side
from edgestill.jobs.benchmarks.scale_fit import Growth, fit_growth
from edgestill.jobs.benchmarks.scale_memory import (
    COORDINATOR,
    INTERVAL_S,
    Sampler,
    total_uss_bytes,
)
from edgestill.jobs.benchmarks.simulation_sides import CORES
from edgestill.jobs.benchmarks.simulation_work import Contest, digits_config, write_digits
from edgestill.report import Advance, show_progress

ROUND_WITHIN_S = 900.0
SMALL, LARGE = 10_000, 100_000
"""Populations: of the sizes that differ in their participants, and of the one that is large."""

FEW, MANY = 1_000, 10_000
"""Participants between which the coordinator's memory may hardly grow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Participants in each round, devices in the population, rounds that count.

    ``warm_rounds`` are played before; with none, the first round's own costs are in the figures.
    """

    participants: int
    population: int
    rounds: int
    warm_rounds: int = 1

    @property
    def all_rounds(self) -> int:
        """How many rounds are played."""
        return self.warm_rounds + self.rounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a size took.

    Attributes:
        size: that was run.
        ready_s: from the start of its process until it waits for its first round.
        seconds: of each round that counts.
        lost: devices without a reply, over all rounds.
        peaks: bytes by process, see :class:`Sampler`.
    """

    size: Size
    ready_s: float
    seconds: Sequence[float]
    lost: int
    peaks: Mapping[str, Mapping[str, int]]


FULL = (
    Size(participants=100, population=SMALL, rounds=5),
    Size(participants=FEW, population=SMALL, rounds=5),
    Size(participants=MANY, population=SMALL, rounds=3),
    Size(participants=FEW, population=LARGE, rounds=3),
    Size(participants=MANY, population=LARGE, rounds=2),
)
QUICK = (
    Size(participants=100, population=SMALL, rounds=2),
    Size(participants=FEW, population=SMALL, rounds=1),
    Size(participants=MANY, population=SMALL, rounds=1, warm_rounds=0),
    Size(participants=FEW, population=LARGE, rounds=1),
)


def measure(*, quick: bool, quiet: bool) -> Measured:
    """Run each size by itself.

    Raises:
        RunError: a run failed.
    """
    sizes = QUICK if quick else FULL
    total = sum(size.all_rounds for size in sizes)
    with (
        TemporaryDirectory(prefix="edgestill-bench-") as name,
        show_progress("rounds", total=total, quiet=quiet) as advance,
    ):
        folder = Path(name)
        (folder / "data").mkdir()
        write_digits(folder / "data")
        taken = [run_size(size, folder, advance) for size in sizes]
    return judged(taken)


def run_size(size: Size, folder: Path, advance: Advance) -> Taken:
    """Run a size in a process of its own, and sample the memory of all its processes.

    Args:
        size: to run.
        folder: with the digits in ``data``.
        advance: told of each round.
    """
    side = _start(size, folder)
    try:
        with Sampler(side.pid) as sampler:
            began_s = time.perf_counter()
            side.wait_until_ready(ROUND_WITHIN_S)
            ready_s = time.perf_counter() - began_s
            side.begin()
            played = [side.result(ROUND_WITHIN_S)]
            while len(played) < size.all_rounds:
                advance(side.name)
                played.append(side.play(ROUND_WITHIN_S))
            advance(side.name)
    finally:
        side.close()
    return Taken(
        size=size,
        ready_s=ready_s,
        seconds=[one["seconds"] for one in played[size.warm_rounds :]],
        lost=sum(one["lost"] for one in played),
        peaks=sampler.by_process(),
    )


def _start(size: Size, folder: Path) -> Side:
    own = folder / f"{size.participants}-of-{size.population}"
    own.mkdir()
    contest = Contest(
        name="small_cnn", devices=size.population, rounds=size.all_rounds, warm_rounds=0
    )
    share = {"federation": {"fraction": size.participants / size.population}}
    config = digits_config(contest, folder / "data", cohorts=CORES, changes=share)
    (own / "config.yaml").write_text(dump(config), encoding="utf-8")
    command = [sys.executable, "-m", "edgestill.jobs.benchmarks.simulation_ours", str(own)]
    return Side(own.name, command, own, {})


def judged(taken: Sequence[Taken]) -> Measured:
    """Return the figures of all sizes and what they say about the claims."""
    by_size = {(one.size.participants, one.size.population): one for one in taken}
    few, many, large = by_size[FEW, SMALL], by_size[MANY, SMALL], by_size[FEW, LARGE]
    growth = growth_of(taken)
    slowest_s = max(
        statistics.median(one.seconds) for one in taken if one.size.participants == MANY
    )
    memory = [one.peaks[COORDINATOR]["uss_bytes"] for one in (few, many)]
    added = total_uss_bytes(large.peaks) - total_uss_bytes(few.peaks)
    error = None if math.isnan(growth.standard_error) else growth.standard_error
    return Measured(
        configuration={"sizes": [asdict(one.size) for one in taken], "sampled_every_s": INTERVAL_S},
        results={
            "sizes": [_plain(one) for one in taken],
            "time_growth": {
                "exponent": growth.exponent,
                "standard_error": error,
                "rounds": growth.points,
            },
        },
        claims=[
            at_most("round_s_10k_participants", slowest_s, 60.0, "s"),
            at_most(
                "coordinator_memory_growth_ratio_1k_to_10k", memory[1] / memory[0] - 1.0, 0.1, ""
            ),
            _growth_claim(growth),
            at_most("population_bytes_per_device", added / (LARGE - SMALL), 1000.0, "bytes"),
        ],
        tables=[_table(taken)],
    )


def growth_of(taken: Sequence[Taken]) -> Growth:
    """Return how a round's time grows with its participants, in the small population."""
    points = [
        (float(one.size.participants), seconds)
        for one in taken
        if one.size.population == SMALL
        for seconds in one.seconds
    ]
    return fit_growth([x for x, _ in points], [y for _, y in points])


def _growth_claim(growth: Growth) -> Claim:
    unit = f"exponent, ±{growth.standard_error:.2f}"
    return at_most("time_growth_exponent", growth.exponent, 1.0, unit)


def _plain(one: Taken) -> dict[str, Any]:
    return {
        **asdict(one.size),
        "ready_s": one.ready_s,
        "round_s": list(one.seconds),
        "lost": one.lost,
        "peaks": {name: dict(peak) for name, peak in one.peaks.items()},
        "total_uss_bytes": total_uss_bytes(one.peaks),
    }


def _table(taken: Sequence[Taken]) -> ResultTable:
    rows = []
    for one in taken:
        seconds = statistics.median(one.seconds)
        cohorts = [
            peak["uss_bytes"] for name, peak in one.peaks.items() if name.startswith("cohort")
        ]
        rows.append(
            (
                f"{one.size.participants}",
                f"{one.size.population}",
                f"{one.ready_s:.1f}",
                f"{seconds:.2f}",
                f"{one.size.participants / seconds:.0f}",
                f"{one.peaks[COORDINATOR]['uss_bytes'] / 1e6:.0f}",
                f"{one.peaks[COORDINATOR]['rss_bytes'] / 1e6:.0f}",
                f"{max(cohorts, default=0) / 1e6:.0f}",
                f"{total_uss_bytes(one.peaks) / 1e6:.0f}",
            )
        )
    columns = (
        *("participants", "population", "ready s", "round s", "fitted/s"),
        *("coord. USS MB", "RSS MB", "cohort USS MB", "all USS MB"),
    )
    return ResultTable(title="one process tree for each size", columns=columns, rows=rows)
