"""Labelled samples as tensors, and the order in which they are seen."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgestill.data import Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Inputs by kind, each [N, *shape] float32, and labels [N] int64."""

    inputs: Mapping[str, Tensor]
    labels: Tensor

    def __len__(self) -> int:
        """Return N."""
        return len(self.labels)

    @classmethod
    def of(cls, dataset: Dataset, indices: NDArray[np.int64]) -> "Samples":
        """Read rows of a dataset into memory."""
        inputs = {kind: torch.from_numpy(array) for kind, array in dataset.inputs(indices).items()}
        return cls(inputs=inputs, labels=torch.from_numpy(dataset.labels[indices]))

    def take(self, rows: NDArray[np.int64]) -> "Samples":
        """Return the given rows."""
        picked = torch.from_numpy(rows)
        return Samples(
            inputs={kind: tensor[picked] for kind, tensor in self.inputs.items()},
            labels=self.labels[picked],
        )


def batches(count: int, steps: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Deal ``count`` rows, shuffled, to ``steps`` batches of nearly equal size.

    Every row is seen once. With fewer rows than steps some batches are empty.
    """
    yield from np.array_split(rng.permutation(count), steps)
