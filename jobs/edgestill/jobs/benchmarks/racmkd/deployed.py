"""What a student costs where it is deployed: operations, memory, and time, stages included."""

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edgestill.codec.modality import Stages
from edgestill.models import Output, measure_cost, weight_bytes
from edgestill.models.deploy import measure_footing, write_onnx

FREE_BYTES = 120_000_000
"""What RA-CMKD's level high has free at least (Cherian & Manoov, results table)."""


class Deployed(nn.Module):
    """A student with the stages of its level: takes whole inputs."""

    def __init__(self, module: nn.Module, stages: Stages, rates: Mapping[str, float]) -> None:
        super().__init__()
        self.module, self.stages, self.rates = module, stages, dict(rates)

    def forward(self, inputs: Mapping[str, Tensor]) -> Output:
        """Return the student's output for whole inputs by kind."""
        output: Output = self.module(self.stages(inputs, self.rates))
        return output


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What one model costs on one sample.

    Attributes:
        parameters: of the model.
        flops: forward, of stages and model; a multiply-add counts two.
        memory_bytes: weights at the bits they are shipped with and all activations as float32.
        input_bytes: of what the stages keep of the inputs, if it travels.
    """

    parameters: int
    flops: int
    memory_bytes: int
    input_bytes: int

    def to_plain(self) -> dict[str, int]:
        """Return plain values."""
        return {
            "parameters": self.parameters,
            "flops_per_sample": self.flops,
            "memory_bytes": self.memory_bytes,
            "input_bytes": self.input_bytes,
        }


def bill(model: Deployed, shapes: Mapping[str, tuple[int, ...]], weight_bits: int) -> Bill:
    """Count what a deployed student costs; its weights must be baked."""
    whole = {kind: torch.zeros(1, *shapes[kind]) for kind in model.rates}
    cost = measure_cost(model.module, model.stages(whole, model.rates))
    stages = sum(model.stages.flops(shapes, model.rates).values())
    return Bill(
        parameters=cost.parameters,
        flops=cost.forward_flops + stages,
        memory_bytes=weight_bytes(model.module, weight_bits) + cost.activation_bytes,
        input_bytes=sum(model.stages.kept_bytes(shapes, model.rates).values()),
    )


def timed(
    models: Mapping[str, Deployed],
    shapes: Mapping[str, tuple[int, ...]],
    folder: Path,
    calls: int,
) -> dict[str, dict[str, Any]]:
    """Return by model the time of one call and what it adds to a process.

    All are exported alike, in float32 and for one sample, and called in turn on one thread by
    onnxruntime in this process; the median stands against what else the machine does. The memory is
    that of a process of its own.
    """
    files = {}
    for index, (name, model) in enumerate(models.items()):
        files[name] = folder / f"model-{index}.onnx"
        write_onnx(model, dict.fromkeys(model.rates, 1.0), shapes, files[name], batch=1)
    sessions = {name: _session(path) for name, path in files.items()}
    rng = np.random.default_rng(0)
    taken: dict[str, list[float]] = {name: [] for name in models}
    for call in range(calls + calls // 10):
        for name, session in sessions.items():
            given = {
                kind: rng.standard_normal((1, *shapes[kind]), dtype=np.float32)
                for kind in models[name].rates
            }
            began_s = time.perf_counter()
            session.run(None, given)
            # The first tenth only warms up.
            if call >= calls // 10:
                taken[name].append(time.perf_counter() - began_s)
    return {
        name: {
            "latency_ms": 1e3 * statistics.median(times),
            "latency_p95_ms": 1e3 * float(np.quantile(times, 0.95)),
            "file_bytes": files[name].stat().st_size,
            "resident_bytes": measure_footing(
                files[name], limit_bytes=FREE_BYTES
            ).model_memory_bytes,
        }
        for name, times in taken.items()
    }


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
