"""TOFC measured: accuracy against bytes and time, beside image codecs, on ``scene_vqa``.

Task-oriented feature compression (Yuan et al., IEEE TMC 25(4), 2026): visual tokens merged by
DPC-KNN and coded by hyperprior experts, trained for the answers. Beside it JPEG and WebP at several
qualities and sizes, with the model as it is and fine-tuned on pictures so compressed, plain int8
and float16 tokens, and TOFC without each of its parts.
"""

import logging
import os
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from edgestill.jobs.benchmarks.form import Measured
from edgestill.jobs.benchmarks.tofc.models import Trained, train
from edgestill.jobs.benchmarks.tofc.plan import FULL, QUICK, Amount, ImageCoding, TokenCoding
from edgestill.jobs.benchmarks.tofc.sent import send, sendings
from edgestill.jobs.benchmarks.tofc.tasks import Job, Point, halves_folder, measure_coding
from edgestill.jobs.benchmarks.tofc.timing import Parts, picture_way, timed, token_way
from edgestill.jobs.benchmarks.tofc.verdict import judged, matches
from edgestill.report import show_progress

PROCESSES = 2
REQUESTS = 100


def measure(*, quick: bool, quiet: bool) -> Measured:
    """Train a model for each seed, then every coding on it, and time both ends."""
    amount = QUICK if quick else FULL
    with TemporaryDirectory(prefix="edgestill-bench-") as name:
        folder = Path(name)
        trained, points = train_all(amount, folder, quiet=quiet)
        with show_progress("timings", total=None, quiet=quiet):
            times = time_both(amount, points, folder)
    return judged(amount, trained, points, times)


def train_all(amount: Amount, folder: Path, *, quiet: bool) -> tuple[list[Trained], list[Point]]:
    """Return what each seed's model reaches, and every coding's point under every seed."""
    with get_context("spawn").Pool(min(PROCESSES, os.cpu_count() or 1), begin_process) as pool:
        # Torch's threads do not survive a fork, hence spawned processes.
        trained = prepare(amount, folder, pool, quiet=quiet)
        return trained, measure_all(amount, folder, pool, quiet=quiet)


def prepare(amount: Amount, folder: Path, pool: Pool, *, quiet: bool) -> list[Trained]:
    """Train each seed's model, and compress what is sent as pictures, once for all seeds."""
    sending = sendings(amount, folder)
    seeds = [(seed, amount, folder) for seed in amount.seeds]
    total = len(seeds) + len(sending)
    with show_progress("models and pictures", total=total, quiet=quiet) as advance:
        # The pictures fill the time in which an odd number of models leaves a process idle.
        waiting = pool.imap_unordered(_train, seeds), pool.imap_unordered(send, sending)
        trained = []
        for one in waiting[0]:
            trained.append(one)
            advance(f"without a codec {one.accuracy:.1%}")
        for _ in waiting[1]:
            advance("pictures compressed")
    return sorted(trained, key=lambda one: one.seed)


def measure_all(amount: Amount, folder: Path, pool: Pool, *, quiet: bool) -> list[Point]:
    """Return every coding's point under every seed, of the models and pictures in a folder."""
    jobs = [
        Job(seed=seed, coding=coding, amount=amount, folder=folder)
        for seed in amount.seeds
        for coding in amount.codings
    ]
    points = []
    with show_progress("codings", total=len(jobs), quiet=quiet) as advance:
        for point in pool.imap(measure_coding, jobs):
            points.append(point)
            advance(f"{point.coding.name} {point.accuracy:.1%} {point.bytes:.0f} bytes")
    return points


def time_both(amount: Amount, points: Sequence[Point], folder: Path) -> dict[str, Parts]:
    """Return the parts of a request, for TOFC and for the image codec at equal accuracy."""
    torch.set_num_threads(1)
    seed = amount.seeds[0]
    match = matches(points)[seed]
    job = Job(seed=seed, coding=match.theirs.coding, amount=amount, folder=folder)
    ways = {}
    if match.ours is not None and isinstance(match.ours.coding, TokenCoding):
        ways["tofc"] = token_way(halves_folder(job, match.ours.coding))
    if isinstance(match.theirs.coding, ImageCoding):
        ways["image"] = picture_way(job, match.theirs.coding)
    return timed(ways, amount.tested, REQUESTS)


def begin_process() -> None:
    """Set up a process in which nothing but models are trained: one torch thread, errors only."""
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)


def _train(job: tuple[int, Amount, Path]) -> Trained:
    return train(*job)
