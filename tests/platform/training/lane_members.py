"""Devices for lanes: small models of several makes, samples and knowledge from a seed."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from edgestill.config import LossConfig, TrainingConfig
from edgestill.knowledge import Coefficients, KnowledgeBatch
from edgestill.models import ModelFamily, Output, leading_block, student
from edgestill.training import LaneMember, LocalWork, Samples, lane_key, train, train_lane

SHAPES = {"visual": (1, 6, 6), "audio": (1, 8, 10), "sensor": (2, 12)}
CLASSES = 3
LEVELS = {
    "high": ({"visual": 1.0, "audio": 1.0, "sensor": 1.0}, 1.0),
    "medium": ({"visual": 1.0, "audio": 0.5, "sensor": 1.0}, 0.75),
    "low": ({"visual": 1.0}, 0.5),
    "critical": ({"visual": 0.5}, 0.5),
}
WEIGHTS = Coefficients(task=1.0, distill=1.0, align=0.1, resource=0.1)
FAMILY = ModelFamily(student, SHAPES, CLASSES)


class Convolutional(nn.Module):
    """Convolutions with biases, pooling, every kind of dropout, a gelu and a sigmoid gate."""

    def __init__(self, modalities, classes, width=1.0):
        super().__init__()
        self.first = nn.Conv2d(1, 5, 3, padding=1)
        self.second = nn.Conv2d(5, 6, 3, stride=2, padding=1)
        self.gate = nn.Parameter(torch.zeros(7))
        self.hidden = nn.Linear(6, 7)
        self.classifier = nn.Linear(7, classes)

    def forward(self, inputs):
        x = functional.max_pool2d(functional.relu(self.first(inputs["visual"])), 2)
        x = functional.dropout2d(functional.gelu(self.second(x)), 0.2, self.training)
        x = self.hidden(x.mean(dim=(2, 3))) * torch.sigmoid(self.gate)
        x = functional.dropout(x, 0.3, self.training)
        x = x + 0.1 * torch.randn_like(x) * torch.rand(x.shape)
        return Output(logits=self.classifier(x), embeddings={}, fused=x, gates={})


def family_of(factory):
    return ModelFamily(factory, {"visual": SHAPES["visual"]}, CLASSES)


def member(
    seed, count=10, *, family=FAMILY, level="high", public=0, epochs=2, start=None, **changes
):
    shares, width = LEVELS[level]
    shares = {kind: share for kind, share in shares.items() if kind in family.modalities}
    variant = family.variant(shares, width if family is FAMILY else 1.0)
    stream, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    shapes = family.modalities
    work = {"coefficients": WEIGHTS, "pressure": 0.3, "proximal_mu": 0.0, "seed": seed} | changes
    return LaneMember(
        arrays=start or leading_block(family.initial_arrays(0), variant.shapes),
        samples=Samples(
            inputs={k: torch.randn(count, *s, generator=stream) for k, s in shapes.items()},
            labels=torch.arange(count) % CLASSES,
        ),
        knowledge=knowledge_of(rng, shapes, public) if public else None,
        work=LocalWork(variant=variant, epochs=epochs, **work),
    )


def knowledge_of(rng, shapes, count):
    return KnowledgeBatch(
        inputs={k: rng.normal(size=(count, *s)).astype(np.float32) for k, s in shapes.items()},
        embeddings={k: rng.normal(size=(count, 24)).astype(np.float32) for k in shapes},
        logits=(3 * rng.normal(size=(count, CLASSES))).astype(np.float32),
        labels=np.arange(count) % CLASSES,
    )


def config(**changes):
    return TrainingConfig(**({"batch_size": 4} | changes))


def alone(one, training, *, family=FAMILY, loss=None):
    module = family.module(one.work.variant.width)
    loss = loss or LossConfig()
    return train(module, one.arrays, one.samples, one.knowledge, one.work, training, loss)


def together(members, training, *, family=FAMILY, loss=None):
    """Train in as many lanes as there are keys and return the results in order."""
    lanes = {}
    for index, one in enumerate(members):
        lanes.setdefault(lane_key(one, training), []).append(index)
    trained = {}
    for indices in lanes.values():
        module = family.module(members[indices[0]].work.variant.width)
        results = train_lane(module, [members[i] for i in indices], training, loss or LossConfig())
        trained.update(zip(indices, results, strict=True))
    return [trained[index] for index in range(len(members))]


def same_bits(one, other):
    arrays = all(np.array_equal(one.arrays[name], other.arrays[name]) for name in one.arrays)
    return arrays and one.terms == other.terms


def assert_agree(one, other, tolerance=1e-5):
    assert one.steps == other.steps
    assert set(one.arrays) == set(other.arrays)
    for name, array in other.arrays.items():
        np.testing.assert_allclose(one.arrays[name], array, rtol=0, atol=tolerance, err_msg=name)
    for name, value in other.terms.items():
        assert abs(one.terms[name] - value) <= 10 * tolerance * max(1.0, abs(value)), name
    assert set(one.optimizer) == set(other.optimizer)
    for name, array in other.optimizer.items():
        np.testing.assert_allclose(one.optimizer[name], array, rtol=0, atol=tolerance, err_msg=name)
