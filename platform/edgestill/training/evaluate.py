"""How well a model answers."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from edgestill.data import Dataset
from edgestill.models import Compress, reduce_resolution
from edgestill.training.batches import Samples

EVALUATION_BATCH = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Accuracy in 0..1, mean cross-entropy in nats, number of samples."""

    accuracy: float
    loss: float
    samples: int


def evaluate(
    module: nn.Module,
    dataset: Dataset,
    indices: NDArray[np.int64],
    shares: Mapping[str, float],
    compress: Compress = reduce_resolution,
) -> Score:
    """Score a module on rows of a dataset, with the kinds of ``shares`` at their rates.

    Raises:
        ValueError: no rows.
    """
    if len(indices) == 0:
        raise ValueError("evaluation needs at least one sample")
    module.eval()
    correct, loss = 0, 0.0
    with torch.inference_mode():
        for start in range(0, len(indices), EVALUATION_BATCH):
            samples = Samples.of(dataset, indices[start : start + EVALUATION_BATCH])
            logits = module(compress(samples.inputs, shares)).logits
            correct += int((logits.argmax(dim=1) == samples.labels).sum())
            loss += float(functional.cross_entropy(logits, samples.labels, reduction="sum"))
    return Score(accuracy=correct / len(indices), loss=loss / len(indices), samples=len(indices))
