"""Inputs with what is right for them, as joint models are trained and measured on.

Letters: n inputs, B of them in a batch.
"""

# Names end in shape letters.

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgestill.data import Dataset, Rows
from edgestill.inference.joint.inputs import Input, Specs, standardised


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """n inputs and their targets.

    Attributes:
        inputs: what they are, by kind.
        arrays: raw values by kind, [N, ...], in memory or on disk.
        rows: int64 [n], which of them.
        targets_n: as the task takes them, [n, ...].
        watched_n: bool [n], which of them show what must not be missed.
    """

    inputs: Specs
    arrays: Mapping[str, Rows]
    rows: NDArray[np.int64]
    targets_n: Tensor
    watched_n: NDArray[np.bool_]

    def __len__(self) -> int:
        """Return n."""
        return len(self.rows)

    def raw(self, places: Any) -> dict[str, NDArray[Any]]:
        """Return raw values by kind, [B, ...], of places 0..n-1: a slice or integers."""
        return {kind: np.array(self.arrays[kind][self.rows[places]]) for kind in self.inputs}

    def seen(self, places: Any) -> dict[str, Tensor]:
        """Return the same as networks see it."""
        return standardised(self.inputs, self.raw(places))


def classified_samples(
    dataset: Dataset, split: str, kinds: Sequence[str], watched: Sequence[int] = ()
) -> Samples:
    """Return a split of a data set with labels.

    Args:
        dataset: where from.
        split: one of its splits.
        kinds: that a device takes in.
        watched: classes that must not be missed; none means all.
    """
    rows = dataset.splits[split]
    labels = dataset.labels[rows]
    return Samples(
        inputs=inputs_of(dataset, kinds),
        arrays={kind: dataset.arrays[kind] for kind in kinds},
        rows=rows,
        targets_n=torch.from_numpy(labels),
        watched_n=np.isin(labels, watched) if len(watched) else np.ones(len(rows), np.bool_),
    )


def inputs_of(dataset: Dataset, kinds: Sequence[str]) -> dict[str, Input]:
    """Return what a device takes in of a data set."""
    return {
        kind: Input(
            shape=dataset.modalities[kind].shape,
            dtype=dataset.arrays[kind].dtype.newbyteorder("<").str,
            scale=dataset.modalities[kind].scale,
            offset=dataset.modalities[kind].offset,
        )
        for kind in kinds
    }
