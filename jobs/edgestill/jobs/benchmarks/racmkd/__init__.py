"""RA-CMKD measured: what each level keeps of the teacher, what it saves, and what follows load.

Cherian & Manoov, "Cross-Modal Knowledge Distillation for Ultra-Lightweight Edge AI", whose results
table this repeats on ``av_digits``. Its levels low and critical see the image alone; here they also
have the sensor, summarised, since three components are all that ``av_digits`` leaves of an image.
The poster's own two levels stand beside them.
"""

import os
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgestill.config import AllocationConfig
from edgestill.jobs.benchmarks.form import Measured
from edgestill.jobs.benchmarks.racmkd.deployed import Deployed, bill, timed
from edgestill.jobs.benchmarks.racmkd.lessons import lessons_of
from edgestill.jobs.benchmarks.racmkd.plan import (
    FULL,
    KINDS,
    LEVELS,
    POSTER,
    QUICK,
    STAGES,
    Amount,
    LevelPlan,
)
from edgestill.jobs.benchmarks.racmkd.precision import precisions
from edgestill.jobs.benchmarks.racmkd.tasks import (
    Job,
    Outcome,
    begin_process,
    compare,
    stages,
    student_of,
    teach,
)
from edgestill.jobs.benchmarks.racmkd.trace import follow
from edgestill.jobs.benchmarks.racmkd.verdict import judged
from edgestill.models import exact_activations
from edgestill.report import show_progress

PROCESSES = 2
TEACHER = "teacher"
TEACHER_PLAN = LevelPlan(name=TEACHER, rates=dict.fromkeys(KINDS, 1.0), pruned=0.0, bits=32)


def measure(*, quick: bool, quiet: bool) -> Measured:
    """Train the teachers and all students, score them, and time what would be deployed."""
    amount = QUICK if quick else FULL
    with TemporaryDirectory(prefix="edgestill-bench-") as name:
        folder = Path(name)
        teachers, outcomes = train(amount, folder, quiet=quiet)
        with show_progress("timings", total=None, quiet=quiet):
            bills = deploy(amount, folder)
        rounding = precisions(lessons_of(amount.seeds[0], folder))
    moments = follow(AllocationConfig(), KINDS)
    return judged(amount, teachers, outcomes, bills, moments, rounding)


def train(amount: Amount, folder: Path, *, quiet: bool) -> tuple[dict[int, float], list[Outcome]]:
    """Return the teachers' accuracies by seed, and the outcome of every level under every seed."""
    teachers: dict[int, float] = {}
    outcomes: list[Outcome] = []
    jobs = [Job(seed=seed, folder=folder, amount=amount) for seed in amount.seeds]
    levels = [replace(job, plan=plan) for job in jobs for plan in (*LEVELS, *POSTER)]
    with (
        show_progress("models", total=len(jobs) + len(levels), quiet=quiet) as advance,
        # Torch's threads do not survive a fork.
        get_context("spawn").Pool(min(PROCESSES, os.cpu_count() or 1), begin_process) as pool,
    ):
        for job, accuracy in zip(jobs, pool.imap(teach, jobs), strict=True):
            teachers[job.seed] = accuracy
            advance(f"teacher {accuracy:.1%}")
        for outcome in pool.imap_unordered(compare, levels):
            outcomes.append(outcome)
            advance(f"{outcome.level} {outcome.test['ours']:.1%}")
    order = {plan.name: place for place, plan in enumerate((*LEVELS, *POSTER))}
    return teachers, sorted(outcomes, key=lambda one: (order[one.level], one.seed))


def deploy(amount: Amount, folder: Path) -> dict[str, dict[str, Any]]:
    """Return what the teacher and each level cost; all seeds' students have the same shapes."""
    begin_process()
    seed = amount.seeds[0]
    lessons = lessons_of(seed, folder)
    plans = (*LEVELS, *POSTER)
    models = {TEACHER: Deployed(lessons.teacher_module, stages(STAGES), TEACHER_PLAN.rates)}
    for plan in plans:
        student = student_of(folder, seed, plan)
        exact_activations(student)
        models[plan.name] = Deployed(student, stages(STAGES), plan.rates)
    taken = timed(models, lessons.shapes, folder, amount.timings)
    return {
        plan.name: {
            **bill(models[plan.name], lessons.shapes, plan.bits).to_plain(),
            **taken[plan.name],
            "modalities": dict(plan.rates),
        }
        for plan in (TEACHER_PLAN, *plans)
    }
