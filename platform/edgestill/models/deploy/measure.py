"""What an exported file takes on a device: time, memory, bytes, in a process of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from edgestill.errors import RunError

PROBE = Path(__file__).with_name("probe.py")
RUNS = 300
TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Footing:
    """What an exported file takes.

    Attributes:
        file_bytes: of the file.
        latency_median_s: of a call.
        latency_p95_s: of a call.
        model_memory_bytes: what loading and running the file adds to a process that has the
            runtime loaded, at its peak (resident).
        peak_memory_bytes: of that whole process, with Python and the runtime.
        limit_bytes: what the level has free.
        fits: whether it loaded and ran where its process could grow by ``limit_bytes`` only.
        threads: of the runtime.
        samples_per_call: 1, or what the file is fixed to.
    """

    file_bytes: int
    latency_median_s: float
    latency_p95_s: float
    model_memory_bytes: int
    peak_memory_bytes: int
    limit_bytes: int
    fits: bool
    threads: int
    samples_per_call: int


def measure_footing(path: Path, *, limit_bytes: int, threads: int = 1) -> Footing:
    """Load and run a file in a process of its own, under the limits of a level.

    The address space of that process may grow by ``limit_bytes`` once the runtime is loaded. What
    does not fit is measured once more without the limit.

    Raises:
        RunError: it does not run even without a limit.
    """
    figures = _probe(path, threads, limit_bytes)
    fits = isinstance(figures, dict)
    if not isinstance(figures, dict):
        figures = _probe(path, threads, None)
    if not isinstance(figures, dict):
        raise RunError(f"{path}: does not run by onnxruntime: {figures}")
    return Footing(
        file_bytes=path.stat().st_size,
        latency_median_s=figures["latency_median_s"],
        latency_p95_s=figures["latency_p95_s"],
        model_memory_bytes=int(figures["model_memory_bytes"]),
        peak_memory_bytes=int(figures["peak_memory_bytes"]),
        limit_bytes=limit_bytes,
        fits=fits,
        threads=threads,
        samples_per_call=int(figures["samples_per_call"]),
    )


def _probe(path: Path, threads: int, limit_bytes: int | None) -> dict[str, float] | str:
    """Return the figures, or the last line of what went wrong."""
    work = {"path": str(path), "threads": threads, "runs": RUNS, "limit_bytes": limit_bytes}
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and script
            [sys.executable, str(PROBE), json.dumps(work)],
            env={**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {TIMEOUT_S:.0f} s"
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        return lines[-1] if lines else f"it ended with {done.returncode}"
    figures: dict[str, float] = json.loads(done.stdout)
    return figures
