"""Small feature codecs and their tokens, shared by the tests of the codec."""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from edgestill.codec.frozen import FrozenCodec
from edgestill.codec.learned import FeatureCodec

DIMENSION = 24
KINDS = ("factorised", "hyperprior", "mixture")


def tokens(count: int, seed: int = 0) -> NDArray[np.float32]:
    """Synthetic tokens: three groups, each with its own mean and its own scales."""
    rng = np.random.default_rng(seed)
    shapes = np.random.default_rng(99)
    means = shapes.normal(0, 2, (3, DIMENSION))
    scales = np.exp(shapes.normal(-1, 0.7, (3, DIMENSION)))
    groups = rng.integers(0, 3, count)
    values = means[groups] + scales[groups] * rng.laplace(0, 1, (count, DIMENSION))
    return values.astype(np.float32)


@cache
def trained(kind: str, *, rates: int = 2, steps: int = 40) -> FeatureCodec:
    """A codec after a few steps, in evaluation and frozen."""
    torch.manual_seed(5)
    experts = 3 if kind == "mixture" else 1
    codec = FeatureCodec(DIMENSION, kind=kind, experts=experts, rates=rates, step=0.25)
    optimiser = torch.optim.Adam(codec.parameters(), 5e-3)
    for step in range(steps):
        codec.anneal(step / steps)
        batch = torch.from_numpy(tokens(64, step)).reshape(4, 16, DIMENSION)
        coded = codec(batch, step % rates)
        loss = (coded.tokens_BND - batch).square().mean()
        loss = loss + 0.02 * coded.bits_BN.mean() / DIMENSION + coded.balance
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    codec.eval().freeze()
    return codec


@cache
def frozen(kind: str) -> FrozenCodec:
    """The integers of :func:`trained`."""
    return trained(kind).freeze()
