"""What the worker processes do: a teacher, or everything at one level."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch

from edgestill.codec.modality import Stages, stages_of
from edgestill.config import StagesConfig
from edgestill.jobs.benchmarks.racmkd.lessons import Lessons, accuracy, dataset, lessons_of
from edgestill.jobs.benchmarks.racmkd.lessons import teach as teach_one
from edgestill.jobs.benchmarks.racmkd.plan import (
    LEVELS,
    POOLED,
    STAGES,
    WIDE,
    Amount,
    LevelPlan,
)
from edgestill.jobs.benchmarks.racmkd.students import (
    COMPARATORS,
    Method,
    fit,
    forgotten,
    leading,
    ours_at,
    prune,
    told_by,
    unaligned_at,
    wide_student,
)
from edgestill.models import LateFusion, bake_weights, quantize_module
from edgestill.seeds import derive_seed

OURS, UNCOMPRESSED, UNALIGNED = "ours", "without compression stages", "without alignment"
ABLATIONS = (UNCOMPRESSED, UNALIGNED)
ASSISTED = 1.0
"""Weight of the assistants' logits."""
Pruning = Callable[[LateFusion, Lessons, Method, float, int], LateFusion]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A seed, where its teacher and students lie, and how much is done; a level for the last."""

    seed: int
    folder: Path
    amount: Amount
    plan: LevelPlan | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Accuracies at one level and seed, 0..1, by name of method.

    ``missing`` is that of the test part without one of the level's kinds, the mean over which one;
    empty for levels of a single kind.
    """

    seed: int
    level: str
    validation: Mapping[str, float]
    test: Mapping[str, float]
    missing: Mapping[str, float]


def begin_process() -> None:
    """Set up a process in which nothing but students learn: one torch thread, errors only."""
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)


def teach(job: Job) -> float:
    """Train a seed's teacher and return its accuracy on the test part."""
    return teach_one(job.seed, job.amount, job.folder)


def compare(job: Job) -> Outcome:
    """Train and score every method at one level; ours is kept."""
    plan = _plan(job)
    lessons = _lessons(job).seen(lambda inputs: stages(STAGES)(inputs, plan.rates))
    student = ours(job, lessons, ours_at(plan.rates))
    torch.save(student, _student_path(job.folder, job.seed, plan))
    found = {OURS: (student, lessons)}
    for name, method in COMPARATORS.items():
        fresh = forgotten(student, derive_seed(job.seed, f"fresh {plan.name}"))
        epochs = job.amount.wide_epochs + job.amount.epochs
        _finish(fresh, lessons, method, plan, epochs, job.seed)
        found[name] = (fresh, lessons)
    if plan in LEVELS and job.seed in job.amount.ablated:
        found |= _ablated(job, lessons)
    scores = {name: _scores(module, seen) for name, (module, seen) in found.items()}
    return Outcome(
        seed=job.seed,
        level=plan.name,
        validation={name: both[0] for name, both in scores.items()},
        test={name: both[1] for name, both in scores.items()},
        missing={
            name: _missing(module, seen)
            for name, (module, seen) in found.items()
            if len(plan.rates) > 1
        },
    )


def ours(job: Job, lessons: Lessons, method: Method, pruning: Pruning = prune) -> LateFusion:
    """Return a student of a level: wide assistants learn, one is pruned and taught by all of them.

    The teacher's logits reach it through the assistants, its features directly.
    """
    plan, amount = _plan(job), job.amount
    assistants = []
    for number in range(amount.assistants):
        seed = derive_seed(job.seed, f"assistant {plan.name} {number}")
        assistant = wide_student(lessons, plan.rates, seed, WIDE)
        fit(assistant, lessons, method, epochs=amount.wide_epochs, seed=seed)
        assistants.append(assistant)
    assisted, method = told_by(assistants, lessons), replace(method, logits=ASSISTED)
    seed = derive_seed(job.seed, f"prune {plan.name}")
    module = pruning(assistants[0], assisted, method, plan.pruned, seed)
    _finish(module, assisted, method, plan, amount.epochs, job.seed)
    return module


def student_of(folder: Path, seed: int, plan: LevelPlan) -> LateFusion:
    """Return the student that :func:`compare` has kept."""
    module: LateFusion = torch.load(_student_path(folder, seed, plan), weights_only=False)
    return module


@lru_cache(maxsize=2)
def stages(config: StagesConfig) -> Stages:
    """Return the stages, fitted on the public part where they are fitted."""
    data = dataset()
    return stages_of(config, lambda kind: data.inputs(data.splits["public"])[kind])


def _ablated(job: Job, lessons: Lessons) -> dict[str, tuple[LateFusion, Lessons]]:
    """Return the same without its modality-specific compression, and without its alignment."""
    plan = _plan(job)
    pooled = _lessons(job).seen(lambda inputs: stages(POOLED)(inputs, plan.rates))
    return {
        UNCOMPRESSED: (ours(job, pooled, ours_at(plan.rates), pruning=leading), pooled),
        UNALIGNED: (ours(job, lessons, unaligned_at(plan.rates)), lessons),
    }


def _finish(
    module: LateFusion,
    lessons: Lessons,
    method: Method,
    plan: LevelPlan,
    epochs: int,
    seed: int,
) -> None:
    """Teach a student under its bits, and bake them."""
    quantize_module(module, plan.bits)
    fit(module, lessons, method, epochs=epochs, seed=derive_seed(seed, plan.name))
    bake_weights(module)


def _scores(module: LateFusion, lessons: Lessons) -> tuple[float, float]:
    return accuracy(module, lessons.parts["validation"]), accuracy(module, lessons.parts["test"])


def _missing(module: LateFusion, lessons: Lessons) -> float:
    test = lessons.parts["test"]
    rest = [
        replace(test, inputs={k: v for k, v in test.inputs.items() if k != missing})
        for missing in test.inputs
    ]
    return sum(accuracy(module, part) for part in rest) / len(rest)


def _plan(job: Job) -> LevelPlan:
    return job.plan or LEVELS[0]


@lru_cache(maxsize=1)
def _opened(seed: int, folder: Path) -> Lessons:
    return lessons_of(seed, folder)


def _lessons(job: Job) -> Lessons:
    return _opened(job.seed, job.folder)


def _student_path(folder: Path, seed: int, plan: LevelPlan) -> Path:
    return folder / f"student-{seed}-{plan.name}.pt"
