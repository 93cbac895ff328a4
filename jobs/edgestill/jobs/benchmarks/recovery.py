"""What a dead worker costs: devices lost per round, under our fleet and under Flower's engine.

Both run the same work on as many workers as there are cores. In the middle of one round one worker
is ended by ``kill -9``, in the middle of a later one several; every round's losses are counted.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from edgestill.errors import RunError
from edgestill.jobs.benchmarks.form import Measured, ResultTable, at_most
from edgestill.jobs.benchmarks.peers.sides import Side
from edgestill.jobs.benchmarks.processes import descendants
from edgestill.jobs.benchmarks.simulation_sides import CORES, Prepared, prepare, start
from edgestill.jobs.benchmarks.simulation_work import Contest
from edgestill.report import Advance, show_progress

TITLES = {"vectorized": "ray::Cohort", "flower": "ray::ClientAppActor"}
"""How Ray titles the workers of each side."""

ROUND_WITHIN_S = 300.0
MIDDLE = 0.4
"""Share of the time that the round before took, after which workers are killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Which rounds there are, and how many workers are killed in which of them."""

    devices: int
    rounds: int
    kills: Mapping[int, int]

    @property
    def first_kill(self) -> int:
        """The first round with a kill."""
        return min(self.kills)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One side's round: ``killed`` workers after ``killed_after_s`` seconds of it."""

    number: int
    seconds: float
    lost: int
    killed: int = 0
    killed_after_s: float | None = None


SEVERAL = max(2, CORES)
FULL = Scenario(devices=512, rounds=10, kills={3: 1, 7: SEVERAL})
QUICK = Scenario(devices=192, rounds=7, kills={3: 1, 5: SEVERAL})


def measure(*, quick: bool, quiet: bool) -> Measured:
    """Play the rounds of both sides, one side after the other.

    Raises:
        RunError: our side failed.
    """
    scenario = QUICK if quick else FULL
    contest = Contest(
        name="small_cnn", devices=scenario.devices, rounds=scenario.rounds, warm_rounds=0
    )
    reasons: dict[str, str] = {}
    played: dict[str, list[Round]] = {name: [] for name in TITLES}
    with (
        TemporaryDirectory(prefix="edgestill-bench-") as folder,
        show_progress("rounds", total=len(TITLES) * scenario.rounds, quiet=quiet) as advance,
    ):
        prepared = prepare(contest, Path(folder))
        for name, rounds in played.items():
            try:
                play(name, prepared, scenario, rounds, advance)
            except RunError as error:
                if name == "vectorized":
                    raise
                reasons[name] = str(error)
    return judged(scenario, played, reasons)


def play(
    name: str, prepared: Prepared, scenario: Scenario, rounds: list[Round], advance: Advance
) -> None:
    """Play a side's rounds with their kills, and append each to ``rounds``.

    Raises:
        RunError: the side failed, or has no workers to kill.
    """
    with ExitStack() as stack:
        side = start(name, prepared)
        stack.callback(side.close)
        for number in range(1, scenario.rounds + 1):
            side.wait_until_ready(ROUND_WITHIN_S)
            workers = _workers(side, TITLES[name])[: scenario.kills.get(number, 0)]
            if number in scenario.kills and not workers:
                raise RunError(f"{name}: round {number}: no workers to kill")
            side.begin()
            killed_after_s = _kill(workers, MIDDLE * rounds[-1].seconds) if workers else None
            figures = side.result(ROUND_WITHIN_S)
            rounds.append(
                Round(
                    number=number,
                    seconds=figures["seconds"],
                    lost=figures["lost"],
                    killed=len(workers),
                    killed_after_s=killed_after_s,
                )
            )
            advance(f"{name}: {figures['lost']} lost")


def judged(
    scenario: Scenario, played: Mapping[str, Sequence[Round]], reasons: Mapping[str, str]
) -> Measured:
    """Return the losses of both sides, and whether ours are none.

    Args:
        scenario: what was played.
        played: by side.
        reasons: why a side did not finish.
    """
    return Measured(
        configuration={**asdict(scenario), "kills": _named(scenario.kills), "workers": CORES},
        results={
            name: {
                "rounds": [asdict(one) for one in rounds],
                "lost_by_phase": lost_by_phase(rounds),
                "reason": reasons.get(name),
            }
            for name, rounds in played.items()
        },
        claims=[
            at_most(
                "lost_after_kill",
                worst_loss(played["vectorized"], scenario.first_kill),
                0.0,
                "devices in the worst round",
            )
        ],
        tables=[_table(scenario, played)],
    )


def worst_loss(rounds: Sequence[Round], first_kill: int) -> float:
    """Return the most devices lost in any round from the first kill on; NaN without such rounds."""
    return max((float(r.lost) for r in rounds if r.number >= first_kill), default=float("nan"))


def lost_by_phase(rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """Return the losses in each phase; a phase begins with a round in which workers are killed."""
    phases: list[dict[str, Any]] = []
    for one in rounds:
        if one.killed or not phases:
            phases.append({"killed": one.killed, "lost": []})
        phases[-1]["lost"].append(one.lost)
    return phases


def _named(kills: Mapping[int, int]) -> dict[str, int]:
    return {f"round_{number}": count for number, count in kills.items()}


def _workers(side: Side, title: str) -> list[psutil.Process]:
    """Return the live workers of a side."""
    found = []
    for process in descendants(side.pid):
        try:
            if " ".join(process.cmdline()).startswith(title):
                found.append(process)
        except psutil.Error:
            continue
    return found


def _kill(workers: Sequence[psutil.Process], after_s: float) -> float:
    """Kill workers after so many seconds, and return after how many it was."""
    began_s = time.perf_counter()
    time.sleep(after_s)
    for worker in workers:
        worker.kill()
    return time.perf_counter() - began_s


def _table(scenario: Scenario, played: Mapping[str, Sequence[Round]]) -> ResultTable:
    rows = []
    for number in range(1, scenario.rounds + 1):
        cells = [str(number), str(scenario.kills.get(number, 0) or "")]
        for rounds in played.values():
            one = next((r for r in rounds if r.number == number), None)
            cells += ["-", "-"] if one is None else [str(one.lost), f"{one.seconds:.2f}"]
        rows.append(tuple(cells))
    columns = ("round", "killed", "ours lost", "ours s", "Flower lost", "Flower s")
    return ResultTable(
        title=f"devices lost of {scenario.devices}, {CORES} workers", columns=columns, rows=rows
    )
