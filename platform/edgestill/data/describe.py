"""A data set in plain values, for ``edgestill data`` and for reports."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgestill.data.dataset import Dataset, Modality


def describe(dataset: Dataset) -> dict[str, Any]:
    """Return what the data set holds: plain values only, ready for JSON."""
    return {
        "name": dataset.name,
        "digest": dataset.digest,
        "samples": len(dataset),
        "classes": dataset.classes,
        "users": None if dataset.users is None else len(np.unique(dataset.users)),
        "modalities": {
            kind: _modality(dataset, modality) for kind, modality in dataset.modalities.items()
        },
        "splits": {name: _split(dataset, indices) for name, indices in dataset.splits.items()},
        "provenance": dict(dataset.provenance),
    }


def _modality(dataset: Dataset, modality: Modality) -> dict[str, Any]:
    rows = dataset.arrays[modality.kind]
    return {
        "file": modality.file,
        "shape": list(modality.shape),
        "dtype": str(rows.dtype),
        "scale": modality.scale,
        "offset": modality.offset,
        "synthetic": modality.synthetic,
        "sample_bytes": int(np.prod(modality.shape)) * rows.dtype.itemsize,
    }


def _split(dataset: Dataset, indices: NDArray[np.int64]) -> dict[str, Any]:
    counts = np.bincount(dataset.labels[indices], minlength=dataset.classes)
    users = dataset.users
    return {
        "samples": len(indices),
        "users": None if users is None else len(np.unique(users[indices])),
        "class_counts": counts.tolist(),
    }
