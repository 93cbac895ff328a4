"""Training in the cloud on public data: the teacher, once, with early stopping."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from edgestill.config import TeacherConfig
from edgestill.data import Dataset
from edgestill.models import arrays_of, load_arrays
from edgestill.training.batches import Samples, batches
from edgestill.training.evaluate import evaluate

WEIGHT_DECAY = 1e-3
ALL_KINDS_PROBABILITY = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochScore:
    """One epoch: its number from 1, the mean training loss, and accuracy on the validation part."""

    epoch: int
    loss: float
    validation_accuracy: float
    best: bool


def fit_centrally(
    module: nn.Module, dataset: Dataset, config: TeacherConfig, seed: int
) -> Iterator[EpochScore]:
    """Train on the public part and yield each epoch's score; the best epoch's weights are kept.

    Half of the batches see all modalities, the others a random subset, so that each modality's
    features are worth distilling by themselves (modality dropout: Neverova et al., "ModDrop",
    TPAMI 2016). Stops when the validation part has not improved for ``patience_epochs``.
    """
    rng = np.random.default_rng(seed)
    public, validation = dataset.splits["public"], dataset.splits["validation"]
    steps = -(-len(public) // config.batch_size)
    optimizer = torch.optim.AdamW(
        module.parameters(), lr=config.learning_rate, weight_decay=WEIGHT_DECAY
    )
    best_accuracy, best_arrays, stale = -1.0, arrays_of(module), 0
    everything = dict.fromkeys(dataset.kinds, 1.0)
    for epoch in range(1, config.epochs + 1):
        loss = _epoch(module, dataset, public, steps, optimizer, rng)
        accuracy = evaluate(module, dataset, validation, everything).accuracy
        best = accuracy > best_accuracy
        if best:
            best_accuracy, best_arrays, stale = accuracy, arrays_of(module), 0
        else:
            stale += 1
        yield EpochScore(epoch=epoch, loss=loss, validation_accuracy=accuracy, best=best)
        if stale >= config.patience_epochs:
            break
    load_arrays(module, best_arrays)


def _epoch(
    module: nn.Module,
    dataset: Dataset,
    indices: NDArray[np.int64],
    steps: int,
    optimizer: torch.optim.Optimizer,
    rng: np.random.Generator,
) -> float:
    module.train()
    total = 0.0
    for rows in batches(len(indices), steps, rng):
        samples = Samples.of(dataset, indices[rows])
        kinds = _some_kinds(dataset.kinds, rng)
        logits = module({kind: samples.inputs[kind] for kind in kinds}).logits
        loss = functional.cross_entropy(logits, samples.labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += float(loss.detach())
    return total / steps


def _some_kinds(kinds: tuple[str, ...], rng: np.random.Generator) -> tuple[str, ...]:
    if rng.random() < ALL_KINDS_PROBABILITY:
        return kinds
    chosen = tuple(kind for kind in kinds if rng.random() < 0.5)
    return chosen or (kinds[int(rng.integers(len(kinds)))],)
