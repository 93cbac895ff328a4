"""Does an exported file answer as the model that it was made of?"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgestill.models.deploy.onnx_file import OUTPUT
from edgestill.models.resolution import Compress, reduce_resolution

Floats = NDArray[np.float32]

TOLERANCE = 1e-4
"""Of float32: |difference| <= TOLERANCE (1 + |logit|)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """An exported file beside its model, on the same samples.

    Attributes:
        samples: compared.
        same_answers: share of the samples with the same largest logit, 0..1.
        largest_difference: of any logit, absolute.
        within_tolerance: whether every logit is within :data:`TOLERANCE`.
        model_accuracy: of the model in float32, 0..1.
        file_accuracy: of the file.
    """

    samples: int
    same_answers: float
    largest_difference: float
    within_tolerance: bool
    model_accuracy: float
    file_accuracy: float


def compare(
    path: Path,
    module: nn.Module,
    shares: Mapping[str, float],
    inputs: Mapping[str, Floats],
    labels: NDArray[np.int64],
    *,
    batch: int | None,
    compress: Compress = reduce_resolution,
) -> Agreement:
    """Run the file by onnxruntime on one thread and the module by torch.

    Args:
        path: of the file.
        module: that it was made of.
        shares: kind to its rate.
        inputs: kind to whole inputs [N, ...].
        labels: [N].
        batch: fixed number of samples of a call of the file, or None.
        compress: makes partial modalities.
    """
    answers = run_onnx(path, {kind: inputs[kind] for kind in shares}, batch=batch)
    count = len(answers)
    module.eval()
    with torch.inference_mode():
        whole = {kind: torch.from_numpy(inputs[kind][:count]) for kind in shares}
        expected = module(compress(whole, shares)).logits.numpy()
    differences = np.abs(answers - expected)
    return Agreement(
        samples=count,
        same_answers=float(np.mean(answers.argmax(axis=1) == expected.argmax(axis=1))),
        largest_difference=float(differences.max()),
        within_tolerance=bool(np.all(differences <= TOLERANCE * (1 + np.abs(expected)))),
        model_accuracy=float(np.mean(expected.argmax(axis=1) == labels[:count])),
        file_accuracy=float(np.mean(answers.argmax(axis=1) == labels[:count])),
    )


def run_onnx(path: Path, inputs: Mapping[str, Floats], *, batch: int | None) -> Floats:
    """Return the logits of a file [N, K]; with a fixed batch N is the whole batches of the inputs.

    Raises:
        ValueError: fewer samples than one batch.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    count = min(len(values) for values in inputs.values())
    step = batch or count
    if count < max(step, 1):
        raise ValueError(f"{count} samples are fewer than one batch of {step}")
    parts = [
        session.run([OUTPUT], {kind: v[start : start + step] for kind, v in inputs.items()})[0]
        for start in range(0, count - step + 1, step)
    ]
    return np.concatenate(parts)
