"""Is it worth deciding? Every policy on one fleet, with the same deadline, time and energy.

The fleet's loads rise and fall at different times and its links vary; rounds start at fixed
intervals, and an answer after the deadline is lost, with the energy that it took. Every run has the
same virtual time and the same joules: its accuracy is that after the last round that was over
within both. The static levels, a random choice and ``threshold`` know nothing of the joules and
stop when they are used up; ``priority`` and ``predictive`` get a budget for each round, the joules
divided by the rounds.
"""

import os
import statistics
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgestill.jobs.benchmarks.contest import (
    Contestant,
    Outcome,
    begin_process,
    compete,
    teach_once,
)
from edgestill.jobs.benchmarks.decisions import gaps_to_exact, random_menus, timings
from edgestill.jobs.benchmarks.form import Measured, at_least, at_most
from edgestill.jobs.benchmarks.intervals import interval
from edgestill.jobs.benchmarks.scenario import NAMES, STATIC, Scenario
from edgestill.report import show_progress

FULL = Scenario(devices=32, rounds=12, energy_j=30.0, seeds=(21, 22, 23))
QUICK = Scenario(devices=16, rounds=6, energy_j=10.0, seeds=(21,), teacher_epochs=4)
OURS = "predictive"
PROCESSES = 2


def measure(*, quick: bool, quiet: bool) -> Measured:
    """Run the contest and time the decisions."""
    scenario = QUICK if quick else FULL
    outcomes = run_contest(scenario, quiet=quiet)
    with show_progress("decisions", total=None, quiet=quiet):
        gaps = gaps_to_exact(random_menus(60 if quick else 400))
        taken = timings(repeats=5 if quick else 21)
    return judged(scenario, outcomes, gaps, taken)


def run_contest(scenario: Scenario, *, quiet: bool) -> list[Outcome]:
    """Return the outcome of every policy under every seed, in that order.

    Raises:
        RunError: a run failed.
    """
    field = [Contestant(name=name, seed=seed) for seed in scenario.seeds for name in NAMES]
    outcomes = []
    with (
        TemporaryDirectory() as folder,
        show_progress("runs", total=len(field) + 1, quiet=quiet) as advance,
        # Torch's threads do not survive a fork.
        get_context("spawn").Pool(min(PROCESSES, os.cpu_count() or 1), begin_process) as pool,
    ):
        advance(f"teacher {teach_once(scenario, Path(folder)):.1%}")
        jobs = [(scenario, contestant, Path(folder)) for contestant in field]
        for outcome in pool.imap_unordered(_run, jobs):
            outcomes.append(outcome)
            advance(f"{outcome.name} {outcome.accuracy:.1%}")
    order = {name: place for place, name in enumerate(NAMES)}
    return sorted(outcomes, key=lambda outcome: (order[outcome.name], outcome.seed))


def judged(
    scenario: Scenario,
    outcomes: Sequence[Outcome],
    gaps: Mapping[str, Any],
    taken: Mapping[str, float],
) -> Measured:
    """Return the figures of a contest and what they say about the claims."""
    policies = {name: _summary([one for one in outcomes if one.name == name]) for name in NAMES}
    best = max(STATIC, key=lambda name: float(policies[name]["accuracy"]))
    gains = _gains(outcomes, best)
    missed, missed_high = (policies[n]["missed_ratio"] for n in (OURS, "static-high"))
    slowest_ms = max(taken["decide_100_groups_ms"], taken["choose_10000_groups_ms"])
    return Measured(
        configuration=scenario.to_plain(),
        results={
            "policies": policies,
            "best_static": best,
            "gain": {"by_seed": gains, **interval(gains)},
            "gap_to_exact": dict(gaps),
            "timings": dict(taken),
            "runs": [outcome.to_plain() for outcome in outcomes],
        },
        claims=[
            at_least("allocator_accuracy_gain", statistics.fmean(gains), 0.02, "of accuracy 0..1"),
            at_most(
                "allocator_deadline_misses_ratio",
                missed / missed_high if missed_high else float("nan"),
                0.1,
                "of static-high's",
            ),
            at_most("allocator_gap_to_exact", gaps["largest_ratio"], 0.05, "of exact's value"),
            at_most("allocator_decision_ms_10k_devices", slowest_ms, 100.0, "ms"),
        ],
    )


def _run(job: tuple[Scenario, Contestant, Path]) -> Outcome:
    return compete(*job)


def _summary(runs: Sequence[Outcome]) -> dict[str, Any]:
    """Return a policy's means over its seeds."""
    accuracies = [run.accuracy for run in runs]
    errors = [run.foretold_error for run in runs if run.foretold_error is not None]
    return {
        "accuracy": statistics.fmean(accuracies),
        **interval(accuracies),
        "rounds_within": statistics.fmean(run.rounds_within for run in runs),
        "accuracy_in_time_alone": statistics.fmean(run.accuracy_in_time for run in runs),
        "energy_in_time_j": statistics.fmean(run.energy_j for run in runs),
        "missed_ratio": sum(run.missed for run in runs) / sum(run.asked for run in runs),
        "foretold_duration_error_ratio": statistics.fmean(errors) if errors else None,
    }


def _gains(outcomes: Sequence[Outcome], best: str) -> list[float]:
    """Return what ours is ahead of a static level, by seed."""
    accuracy = {(one.name, one.seed): one.accuracy for one in outcomes}
    return [accuracy[OURS, one.seed] - one.accuracy for one in outcomes if one.name == best]
