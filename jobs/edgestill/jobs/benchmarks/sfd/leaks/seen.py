"""What a server sees of samples, and of devices, in numbers."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from edgestill.codec import decode_arrays, encode_arrays
from edgestill.data import Dataset
from edgestill.jobs.benchmarks.sfd.people import Person
from edgestill.jobs.benchmarks.sfd.points import Stage, summary_of
from edgestill.knowledge import Summary
from edgestill.models import Arrays, load_arrays
from edgestill.seeds import generator
from edgestill.training import Samples

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

RATES_BITS = (8, 4)
"""Bits of each number of coded features, as of the teacher's in knowledge frames."""


def of_samples(stage: Stage, student: Arrays, rows: Rows) -> dict[str, Floats]:
    """Return the features of each sample [n, F], uncoded and by rate."""
    features = features_of(stage, student, rows)
    return {
        "features": features,
        **{f"features_{bits}_bits": coded(features, bits) for bits in RATES_BITS},
    }


def inputs_of(dataset: Dataset, rows: Rows) -> Floats:
    """Return each sample's inputs of all kinds side by side [n, F]."""
    inputs = dataset.inputs(rows)
    return np.concatenate([one.reshape(len(rows), -1) for one in inputs.values()], axis=1)


def features_of(stage: Stage, student: Arrays, rows: Rows) -> Floats:
    """Return the student's features of each sample, all kinds side by side [n, kinds D]."""
    module = stage.world.family.module(1.0)
    load_arrays(module, student)
    module.eval()
    with torch.inference_mode():
        embeddings = module(Samples.of(stage.world.dataset, rows).inputs).embeddings
    return np.asarray(torch.cat(list(embeddings.values()), dim=1).numpy())


def coded(features: Floats, bits: int) -> Floats:
    """Return features as they come out of a frame."""
    frame = encode_arrays({"features": features}, bits=bits, fingerprint=0)
    return np.asarray(decode_arrays(frame, fingerprint=0)["features"], np.float32)


def told_by(stage: Stage, groups: Sequence[Rows], seed: int) -> Floats:
    """Return the numbers of each group's noised summary [groups, K + P]."""
    numbers = []
    for rows in groups:
        rng = generator(seed, "told", device=int(rows[0]))
        numbers.append(_numbers(summary_of(stage, person_of(rows), rng)))
    return np.stack(numbers)


def person_of(rows: Rows) -> Person:
    """Return a device with these samples, which is not tested."""
    empty = np.empty(0, np.int64)
    return Person(own=rows, tested=empty, weights=np.empty(0), unseen=empty)


def _numbers(summary: Summary) -> Floats:
    parts = [summary.histogram] + ([] if summary.prototype is None else [summary.prototype])
    return np.concatenate(parts).astype(np.float32)
