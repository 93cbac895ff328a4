"""Run as a script, alone in its process: what one ONNX file takes, in time and memory.

Nothing of edgestill or torch is imported, so that the memory is the model's and the runtime's.
One argument, JSON: ``path``, ``threads``, ``runs`` and ``limit_bytes`` (None: no limit). Prints
JSON. Under a limit that is too small it ends with an error.
"""

import contextlib
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

WARM_UP_RUNS = 10


def _status_bytes(key: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(key)


def _limit(extra_bytes: int | None) -> None:
    """Let this process grow by so much and no more (address space)."""
    if extra_bytes is not None:
        most = _status_bytes("VmSize") + extra_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def measure(path: str, threads: int, runs: int, limit_bytes: int | None) -> dict[str, Any]:
    """Load a file, run it ``runs`` times with batch 1 or as fixed, and return the figures."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.enable_cpu_mem_arena = False
    _forget_peak()
    before_bytes = _status_bytes("VmRSS")
    _limit(limit_bytes)
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    inputs = {
        given.name: rng.standard_normal(
            [size if isinstance(size, int) else 1 for size in given.shape], dtype=np.float32
        )
        for given in session.get_inputs()
    }
    times_s = np.zeros(runs)
    for index in range(-WARM_UP_RUNS, runs):
        start_s = time.perf_counter()
        session.run(None, inputs)
        if index >= 0:
            times_s[index] = time.perf_counter() - start_s
    peak_bytes = _status_bytes("VmHWM")
    return {
        "latency_median_s": float(np.median(times_s)),
        "latency_p95_s": float(np.quantile(times_s, 0.95)),
        "samples_per_call": len(next(iter(inputs.values()))),
        "peak_memory_bytes": peak_bytes,
        "model_memory_bytes": max(0, peak_bytes - before_bytes),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(**json.loads(sys.argv[1]))) + "\n")
