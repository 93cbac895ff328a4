"""A student distilled in the cloud from public data alone: what there is without a fleet."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edgestill.allocation import Level, allocation_of
from edgestill.federation.world import World
from edgestill.knowledge import KnowledgeBank, KnowledgeBatch, coefficients
from edgestill.seeds import derive_seed, generator
from edgestill.training import LocalWork, Samples, evaluate, train

MOST_SAMPLES = 4096
"""Public samples of a round; a larger bank is drawn from, so that memory stays flat."""


def distil_centrally(world: World, bank: KnowledgeBank) -> Iterator[float]:
    """Train a full-width student for as many rounds and epochs as a device at level high.

    Yields the test accuracy after each round. The losses, the optimiser and the initial arrays are
    those of the federation; the samples are the public ones, with their labels and the teacher's
    outputs.
    """
    config, dataset = world.config, world.dataset
    everything = allocation_of(config.allocation.levels, Level.HIGH, dataset.kinds)
    variant = world.family.variant(everything.modalities, 1.0)
    module = world.family.module(1.0)
    # The cloud takes the teacher's batches: a device's small ones would only make it slower.
    training = config.training.model_copy(update={"batch_size": config.teacher.batch_size})
    arrays = world.family.initial_arrays(derive_seed(config.seed, "student"))
    for round_number in range(1, config.federation.rounds + 1):
        rng = generator(config.seed, "central", round_number=round_number)
        positions = rng.permutation(len(bank))[:MOST_SAMPLES]
        indices = bank.indices[positions]
        work = LocalWork(
            variant=variant,
            epochs=everything.epochs,
            coefficients=coefficients(config.knowledge.loss, 0.0),
            pressure=0.0,
            proximal_mu=0.0,
            seed=derive_seed(config.seed, "central", round_number=round_number),
        )
        trained = train(
            module,
            arrays,
            Samples.of(dataset, indices),
            _knowledge(bank, positions),
            work,
            training,
            config.knowledge.loss,
        )
        arrays = {**arrays, **trained.arrays}
        yield evaluate(
            module, dataset, dataset.splits["test"], dict.fromkeys(dataset.kinds, 1.0)
        ).accuracy


def _knowledge(bank: KnowledgeBank, positions: NDArray[np.int64]) -> KnowledgeBatch:
    return KnowledgeBatch(
        inputs=bank.dataset.inputs(bank.indices[positions]),
        embeddings={kind: table[positions] for kind, table in bank.embeddings.items()},
        logits=bank.logits[positions],
        labels=bank.labels[positions],
    )
