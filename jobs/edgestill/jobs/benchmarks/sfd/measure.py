"""All points and all attacks of ``bench sfd``, on as many processes as pay."""

import logging
import os
from collections.abc import Sequence
from functools import partial
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from edgestill.federation import Taught, save_taught, teach, world_of
from edgestill.jobs.benchmarks.form import Measured
from edgestill.jobs.benchmarks.sfd.leaks import Attack, Leaks, measure_leaks
from edgestill.jobs.benchmarks.sfd.points import Outcome, Point, measure_point
from edgestill.jobs.benchmarks.sfd.scenario import POLICIES, Scenario, scenarios, seeds_of
from edgestill.jobs.benchmarks.sfd.verdict import judged
from edgestill.report import show_progress

PROCESSES = 2
GLOBAL_SHARE = 0.25
"""Of the bank's samples, at which global students are trained."""


def measure(*, quick: bool, quiet: bool) -> Measured:
    """Train the teachers, then all students, and attack what leaves the devices.

    Raises:
        RunError: a teacher's outputs are not finite.
    """
    field, seeds = scenarios(quick=quick), seeds_of(quick=quick)
    tasks = tasks_of(field, seeds)
    outcomes: list[Outcome] = []
    leaks: list[Leaks] = []
    with (
        TemporaryDirectory(prefix="edgestill-bench-") as name,
        show_progress("students", total=len(field) + len(tasks), quiet=quiet) as advance,
        # Torch's threads do not survive a fork.
        get_context("spawn").Pool(min(PROCESSES, os.cpu_count() or 1), begin_process) as pool,
    ):
        folder = Path(name)
        teachers, begun = {}, []
        for dataset, accuracy in pool.imap_unordered(partial(teach_once, folder), field):
            teachers[dataset] = accuracy
            advance(f"{dataset}: teacher {accuracy:.1%}")
            # What needs this teacher alone does not wait for the others.
            own = [one for one in tasks if one.scenario.dataset == dataset]
            begun.append(pool.imap_unordered(partial(_do, folder), own))
        for found in chain.from_iterable(begun):
            if isinstance(found, Leaks):
                leaks.append(found)
                advance(f"{found.dataset}: attacked")
            else:
                outcomes.append(found)
                advance(f"{found.point.scenario.dataset}: {found.point.policy}")
        pool.close()
        pool.join()
    return judged(field, seeds, teachers, outcomes, leaks)


def tasks_of(field: Sequence[Scenario], seeds: Sequence[int]) -> list[Point | Attack]:
    """Return everything that is measured once the teachers are there, the longest first."""
    tasks: list[Point | Attack] = []
    for scenario in field:
        for seed in seeds:
            tasks.append(Attack(scenario=scenario, seed=seed))
            tasks += _points(scenario, seed)
    return tasks


def begin_process() -> None:
    """Set up a process in which nothing but this runs: one torch thread, errors only."""
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)


def teach_once(folder: Path, scenario: Scenario) -> tuple[str, float]:
    """Train and save the teacher that all seeds share; return the dataset and its accuracy.

    Raises:
        RunError: its outputs are not finite.
    """
    lessons = teach(world_of(scenario.config(0)))
    while True:
        try:
            next(lessons)
        except StopIteration as end:
            taught: Taught = end.value
            break
    save_taught(taught, folder / scenario.dataset)
    return scenario.dataset, float(taught.report["accuracy"])


def _points(scenario: Scenario, seed: int) -> list[Point]:
    point = partial(Point, scenario=scenario, seed=seed)
    shared = [point(policy=policy, share=s) for policy in POLICIES for s in scenario.shares]
    ends = (("all", 1.0), ("none", 0.0))
    shared += [point(policy=policy, share=share) for policy, share in ends]
    if not scenario.averaged:
        return shared
    # The same samples at half of the bytes, and what links of some bandwidth bring.
    rough = point(policy="relevance", share=GLOBAL_SHARE, lower_rate=True)
    linked = [
        point(policy="relevance", share=GLOBAL_SHARE, link_bytes_per_s=link)
        for link in scenario.link_bytes_per_s
    ]
    whole = [point(policy=policy, share=share, together=True) for policy, share in ends]
    averaged = [point(policy=one, share=GLOBAL_SHARE, together=True) for one in POLICIES]
    return [*shared, rough, *linked, *whole, *averaged]


def _do(folder: Path, task: Point | Attack) -> Outcome | Leaks:
    if isinstance(task, Attack):
        return measure_leaks(task.scenario, task.seed, folder)
    return measure_point(task, folder)
