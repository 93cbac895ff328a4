"""How many devices are fitted in a second: ours, Flower's engine and Apple's pfl on the same work.

Every side is a process of its own that has started before it is measured. The sides take turns,
one round each, so that what else the machine does falls on all; their final parameters are
compared. A round is what a user waits for: messages out, training, replies summed, the new global
model scored on the same test samples. Peers train without gradient clipping, which ours computes.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgestill.errors import RunError
from edgestill.federation import world_of
from edgestill.jobs.benchmarks.form import Measured
from edgestill.jobs.benchmarks.peers.sides import Side
from edgestill.jobs.benchmarks.simulation_share import lane_share
from edgestill.jobs.benchmarks.simulation_sides import PEERS, Prepared, prepare, start
from edgestill.jobs.benchmarks.simulation_verdict import Played, judged
from edgestill.jobs.benchmarks.simulation_work import Contest
from edgestill.report import Advance, show_progress

FULL = (
    Contest(name="small_cnn", devices=256, rounds=11),
    Contest(name="mlp", devices=256, rounds=7, momentum=0.9),
    Contest(name="student", devices=64, rounds=7),
)
QUICK = (Contest(name="small_cnn", devices=128, rounds=3, warm_rounds=1),)
"""One contest: most of a short one is the start of its sides. The student, whose parameters differ
the most, is compared in the full form alone; the claim names the works that it is over."""

SIDES = {
    "small_cnn": ("vectorized", "sequential", "unmodified_app", "flower", "pfl"),
    "mlp": ("vectorized", "unmodified_app", "flower", "pfl"),
    "student": ("vectorized", "nudged", "flower"),
}
"""Who plays which work; pfl has no distillation, and there Flower's engine runs our own app.

The student's rounds amplify rounding: ``nudged`` is the reference trainer from a start that differs
in the last bit of each number, and shows by how much.
"""

ROUND_WITHIN_S = 300.0


def measure(*, quick: bool, quiet: bool) -> Measured:
    """Play every contest.

    Raises:
        RunError: a side of ours failed.
    """
    contests = QUICK if quick else FULL
    played: dict[str, dict[str, Played]] = {}
    shares: dict[str, dict[str, Any]] = {}
    total = sum(contest.all_rounds * len(SIDES[contest.name]) for contest in contests)
    with show_progress("rounds", total=total, quiet=quiet) as advance:
        for contest in contests:
            with TemporaryDirectory(prefix="edgestill-bench-") as name:
                prepared = prepare(contest, Path(name))
                played[contest.name] = compete(prepared, advance)
                if prepared.teacher is None:
                    shares[contest.name] = lane_share(world_of(prepared.config))
    return judged(contests, played, shares)


def compete(prepared: Prepared, advance: Advance) -> dict[str, Played]:
    """Start all sides of a contest, let them take turns, and return what each did.

    Raises:
        RunError: a side of ours failed.
    """
    contest = prepared.contest
    played = {name: Played() for name in SIDES[contest.name]}
    sides: dict[str, Side] = {}
    with ExitStack() as stack:
        for name, one in played.items():
            with _excused(name, one):
                sides[name] = start(name, prepared)
                stack.callback(sides[name].close)
        for round_number in range(1, contest.all_rounds + 1):
            for name in _order(list(played), round_number):
                if played[name].reason is None:
                    with _excused(name, played[name]):
                        _turn(sides[name], played[name], round_number > contest.warm_rounds)
                advance(f"{contest.name} {name}")
        for name, side in sides.items():
            if played[name].reason is None:
                with _excused(name, played[name]):
                    played[name].arrays = side.arrays(ROUND_WITHIN_S)
    return played


def _turn(side: Side, played: Played, counts: bool) -> None:
    """Let a side play a round, and enter it if it is one of those that count."""
    figures = side.play(ROUND_WITHIN_S)
    played.accuracy.append(figures["accuracy"])
    played.lost += figures["lost"]
    if counts:
        played.fitted.append(figures.get("fitted"))
        played.seconds.append(figures["seconds"])


@contextmanager
def _excused(name: str, played: Played) -> Iterator[None]:
    """Note why a peer failed; a side of ours must not."""
    try:
        yield
    except RunError as error:
        if name not in PEERS:
            raise
        played.reason = str(error)


def _order(names: Sequence[str], round_number: int) -> list[str]:
    """Return who plays after whom: another side begins in every round."""
    first = round_number % len(names)
    return [*names[first:], *names[:first]]
