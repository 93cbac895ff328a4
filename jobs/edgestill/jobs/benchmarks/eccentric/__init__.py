"""Edge and cloud answer together (ECCENTRIC: Kamani, Cheng & Chen, arXiv 2511.11719), measured.

For classification (``photo_digits``) and detection (``digit_scenes``): accuracy, bytes of real
frames and operations of every way of answering, the fronts of the three architectures, and every
gate beside KubeEdge Sedna's. Thresholds, policies and JPEG's quality are chosen on validation data,
the figures are those of the test part.
"""

import logging
import os
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from edgestill.jobs.benchmarks.eccentric.ablation import VARIANTS, Without, without
from edgestill.jobs.benchmarks.eccentric.plan import (
    CLASSIFICATION,
    DETECTION,
    FULL,
    QUICK,
    Amount,
)
from edgestill.jobs.benchmarks.eccentric.studies import Study, study
from edgestill.jobs.benchmarks.eccentric.verdict import judged
from edgestill.jobs.benchmarks.form import Measured
from edgestill.report import show_progress

__all__ = ["measure"]

PROCESSES = 2


def measure(*, quick: bool, quiet: bool) -> Measured:
    """Train and measure each task under each seed."""
    amount = QUICK if quick else FULL
    with (
        TemporaryDirectory(prefix="edgestill-bench-") as name,
        # Torch's threads do not survive a fork.
        get_context("spawn").Pool(min(PROCESSES, os.cpu_count() or 1), begin_process) as pool,
    ):
        jobs = _studies(amount, Path(name))
        with show_progress("models", total=len(jobs), quiet=quiet) as advance:
            findings = []
            for found in pool.imap(study, jobs):
                findings.append(found)
                advance(f"{found.task}: cloud {found.cloud_accuracy:.1%}")
        variants = _ablated(amount, jobs, pool, quiet=quiet)
    return judged(amount, findings, variants)


def _studies(amount: Amount, folder: Path) -> list[Study]:
    """Return the studies, the longest first."""
    return [
        Study(task=task, seed=seed, amount=amount, folder=folder)
        for task in (DETECTION, CLASSIFICATION)
        for seed in amount.seeds[task]
    ]


def _ablated(amount: Amount, jobs: Sequence[Study], pool: Pool, *, quiet: bool) -> list[Without]:
    """Return the classification without each part of its training."""
    own = [job for job in jobs if job.task == CLASSIFICATION and job.seed in amount.ablated]
    each = [(job, variant) for job in own for variant in VARIANTS]
    found = []
    if each:
        with show_progress("without parts", total=len(each), quiet=quiet) as advance:
            for one in pool.imap(without, each):
                found.append(one)
                advance(one.variant)
    return found


def begin_process() -> None:
    """Set up a process in which nothing but models are trained: one torch thread, errors only."""
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
