"""Knowledge adaptation from edge to cloud: codec, adapter and tail learn together.

Letters: B inputs, N tokens, D features of a token.
"""

# Names end in shape letters.
# ruff: noqa: N803

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from edgestill.codec.learned import FeatureCodec
from edgestill.inference.joint.cloud import Heavier
from edgestill.inference.joint.networks import EdgeNetwork, Varied
from edgestill.inference.joint.samples import Samples
from edgestill.inference.joint.task import Task
from edgestill.inference.joint.training.learning import Lessons, feature_distance
from edgestill.inference.joint.training.steps import chunked, faster, fit
from edgestill.inference.one_cycle import Plan, Rows
from edgestill.seeds import generator

_FINEST_STEP = 0.25
"""Quantisation step that the finest rate begins with, in standard deviations of the tokens."""


TokensOf = Callable[[Rows], Tensor]
"""Places of a batch to a device's tokens, float32 [B, N, D]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What the terms of the loss weigh.

    Attributes:
        features: of the distance to the cloud's own features.
        distillation: of the distance to its outputs.
        rates: lambda of each rate, coarsest first.
    """

    features: float
    distillation: float
    rates: Sequence[float]


def tokens_of(network: EdgeNetwork, samples: Samples) -> Tensor:
    """Return a device's tokens of all samples, float32 [n, N, D]."""
    network.eval()
    return chunked(len(samples), lambda rows: network.tokens(samples.seen(rows)).float())


def varied_tokens_of(network: EdgeNetwork, samples: Samples) -> TokensOf:
    """Return what gives a device's tokens of a batch, of inputs varied as in its own training.

    The network is in evaluation mode but for its :class:`Varied` parts; without one its tokens
    never change, and are made once.
    """
    varied = [part for part in network.modules() if isinstance(part, Varied)]
    if not varied:
        tokens = tokens_of(network, samples)
        return lambda rows: tokens[rows]
    network.eval()

    @torch.no_grad()
    def made(rows: Rows) -> Tensor:
        for part in varied:
            part.train()
        with faster():
            tokens = network.tokens(samples.seen(rows)).float()
        network.eval()
        return tokens

    return made


def new_codec(tokens_nND: Tensor, rates: int) -> FeatureCodec:
    """Return an untrained codec for tokens of such a spread, one hyperprior for all rates."""
    step = _FINEST_STEP * max(float(tokens_nND.std()), 1e-6)
    return FeatureCodec(tokens_nND.shape[-1], kind="hyperprior", rates=rates, step=step)


def adapt(
    heavier: Heavier,
    codec: FeatureCodec,
    tokens_of_rows: TokensOf,
    task: Task[Tensor],
    public: Samples,
    lessons: Lessons,
    weights: Weights,
    plan: Plan,
    *,
    codec_too: bool,
) -> None:
    """Train what answers from a device's decoded tokens, a rate at random in each step.

    The loss is task + features * distance of features + distillation * distance of outputs +
    lambda * bits per number of the tokens.

    Args:
        heavier: its adapter and tail are trained; the network gives the lessons and stays.
        codec: between them.
        tokens_of_rows: of the device, whose network stays as it is.
        task: whose loss.
        public: n samples.
        lessons: what the network itself makes of them.
        weights: of the terms.
        plan: how.
        codec_too: whether the codec is trained; otherwise it stays, as for a second tier.
    """
    draws = generator(plan.seed, "rates")
    trained = [heavier.adapter, heavier.tail, *([codec] if codec_too else [])]

    def step(rows: Rows, progress: float) -> Tensor:
        tokens = tokens_of_rows(rows)
        rate = int(draws.integers(len(weights.rates)))
        codec.anneal(progress)
        with torch.set_grad_enabled(codec_too):
            coded = codec(tokens, rate)
        with faster():
            features = heavier.adapter(coded.tokens_BND)
            outputs = heavier.tail.answer(features)
        outputs = outputs.float()
        bits = coded.bits_BN.sum(dim=1).mean() / tokens[0].numel()
        return (
            task.loss(outputs, public.targets_n[rows])
            + weights.features * feature_distance(features, lessons.features[rows])
            + weights.distillation * task.distillation(outputs, lessons.outputs[rows])
            + (weights.rates[rate] * bits + coded.balance if codec_too else 0.0)
        )

    fit(trained, len(public), plan, step)
