"""What is coded: synthetic correlated tokens, and small codecs trained on them in seconds.

Letters: B images, N tokens, D features.
"""

# Names end in shape letters.
# ruff: noqa: N803, N806

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgestill.codec.learned import FeatureCodec, Kind
from edgestill.report import Advance
from edgestill.seeds import generator

FEATURES = 128
TOKENS = 16
"""Merged tokens of an image: where TOFC is evaluated."""

OBJECTS = 12
FACTORS = 16
BATCH_IMAGES = 16
LEARNING_RATE = 4e-3
SHARE_OF_LADDER = 3
"""A model of several rates is trained for so many times the steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A codec of the benchmark."""

    name: str
    kind: Kind
    experts: int = 1
    rates: int = 1


MODELS = (
    Model(name="factorised", kind="factorised"),
    Model(name="hyperprior", kind="hyperprior"),
    Model(name="mixture of 4", kind="mixture", experts=4),
    Model(name="4 rates", kind="hyperprior", rates=4),
)
LADDER = MODELS[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """How much is trained and coded.

    Attributes:
        request_images: images of a request, by size of request.
        images: per size of request and codec, in as many requests as that makes, at least one.
        speed_images: sizes of request at which coders are timed; the last is the claim's.
        repeats: of each timing, whose least counts.
    """

    seeds: Sequence[int]
    steps: int
    request_images: Sequence[int]
    images: int
    speed_images: Sequence[int]
    repeats: int

    def to_plain(self) -> dict[str, Any]:
        """Return the scenario as plain values."""
        sizes = {"features": FEATURES, "tokens_per_image": TOKENS}
        return {**asdict(self), **sizes, "data": "synthetic correlated tokens"}


class Source:
    """Draws of one world of synthetic tokens: objects with a mean, scales and common factors."""

    def __init__(self, seed: int) -> None:
        rng = generator(seed, "codec-world")
        self._means = torch.from_numpy(rng.normal(0, 1.0, (OBJECTS, FEATURES)))
        self._scales = torch.from_numpy(np.exp(rng.normal(-1.2, 0.6, (OBJECTS, FEATURES))))
        self._factors = torch.from_numpy(rng.normal(0, 0.15, (FACTORS, FEATURES)))
        self._draw = torch.Generator().manual_seed(int(rng.integers(1 << 31)))

    def images(self, count: int) -> Tensor:
        """Return new tokens BND of so many images."""
        shape = (count, TOKENS)
        objects_BN = torch.randint(0, OBJECTS, shape, generator=self._draw)
        contrast_BN1 = torch.randn(*shape, 1, generator=self._draw).mul(0.5).exp()
        own_BND = torch.randn(*shape, FEATURES, generator=self._draw) * self._scales[objects_BN]
        common_BND = torch.randn(*shape, FACTORS, generator=self._draw).double() @ self._factors
        tokens_BND = self._means[objects_BN] + contrast_BN1 * (own_BND + common_BND)
        return tokens_BND.float()


def trained(
    model: Model, source: Source, *, seed: int, steps: int, advance: Advance
) -> FeatureCodec:
    """Return a codec after its training, frozen: squared error + lambda * bits per feature."""
    torch.manual_seed(seed)
    codec = FeatureCodec(
        FEATURES, kind=model.kind, experts=model.experts, rates=model.rates, step=0.25
    )
    optimiser = torch.optim.Adam(codec.parameters(), LEARNING_RATE)
    every = steps * (1 if model.rates == 1 else SHARE_OF_LADDER)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, every)
    for step in range(every):
        codec.anneal(step / every)
        _step(codec, source.images(BATCH_IMAGES), step % model.rates, optimiser)
        schedule.step()
    codec.eval().freeze()
    advance(f"{model.name}, seed {seed}")
    return codec


def _step(
    codec: FeatureCodec, tokens_BND: Tensor, rate: int, optimiser: torch.optim.Optimizer
) -> None:
    coded = codec(tokens_BND, rate)
    error = (coded.tokens_BND - tokens_BND).square().mean()
    bits = coded.bits_BN.mean() / FEATURES
    # Each rate has its own lambda, four times that of the next finer one.
    price = 0.01 * 4.0 ** (codec.rates - 1 - rate)
    optimiser.zero_grad()
    # Divided by it, so that no rate drowns the gradients of the others.
    ((error + coded.balance) / price + bits).backward()
    optimiser.step()
