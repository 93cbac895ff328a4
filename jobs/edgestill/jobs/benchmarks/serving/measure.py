"""Serving measured: ours beside a plain FastAPI endpoint and Ray Serve, over links, and killed.

All hold the same model, the cloud half of a joint model, and compute with one thread each; the load
comes from a process of its own over loopback.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from edgestill.jobs.benchmarks.form import Measured
from edgestill.jobs.benchmarks.serving.amount import FULL, QUICK
from edgestill.jobs.benchmarks.serving.measurements import measured_sides
from edgestill.jobs.benchmarks.serving.model import prepare
from edgestill.jobs.benchmarks.serving.verdict import judged
from edgestill.report import show_progress


def measure(*, quick: bool, quiet: bool) -> Measured:
    """Start all sides, load them in turns, then put ours behind links, kill it, and harass it."""
    amount = QUICK if quick else FULL
    with (
        TemporaryDirectory(prefix="edgestill-bench-") as name,
        show_progress("parts", total=None, quiet=quiet) as advance,
    ):
        folder = Path(name)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        prepare(folder, samples=amount.samples, epochs=amount.epochs)
        torch.set_num_threads(threads)
        return judged(amount, measured_sides(folder, amount, advance))
