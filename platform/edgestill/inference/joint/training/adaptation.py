"""Knowledge adaptation from edge to cloud: codec, adapter and tail learn together.

Letters: B inputs, N tokens, D features of a token.
"""

# Names end in shape letters.
# ruff: noqa: N803

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from edgestill.codec.learned import FeatureCodec
from edgestill.inference.joint.cloud import Heavier
from edgestill.inference.joint.networks import EdgeNetwork
from edgestill.inference.joint.samples import Samples
from edgestill.inference.joint.task import Task
from edgestill.inference.joint.training.learning import Lessons
from edgestill.inference.joint.training.steps import chunked, faster, fit
from edgestill.inference.one_cycle import Plan, Rows
from edgestill.seeds import generator

_FINEST_STEP = 0.25
"""Quantisation step that the finest rate begins with, in standard deviations of the tokens."""


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


def new_codec(tokens_nND: Tensor, rates: int) -> FeatureCodec:
    """Return an untrained codec for tokens of such a spread, one hyperprior for all rates."""
    step = _FINEST_STEP * max(float(tokens_nND.std()), 1e-6)
    return FeatureCodec(tokens_nND.shape[-1], kind="hyperprior", rates=rates, step=step)


def adapt(
    heavier: Heavier,
    codec: FeatureCodec,
    tokens_nND: Tensor,
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
        tokens_nND: of the device, whose network stays as it is.
        task: whose loss.
        public: n samples.
        lessons: what the network itself makes of them.
        weights: of the terms.
        plan: how.
        codec_too: whether the codec is trained; otherwise it stays, as for a second tier.
    """
    draws = generator(plan.seed, "rates")
    size = tokens_nND[0].numel()
    trained = [heavier.adapter, heavier.tail, *([codec] if codec_too else [])]

    def step(rows: Rows, progress: float) -> Tensor:
        rate = int(draws.integers(len(weights.rates)))
        codec.anneal(progress)
        with torch.set_grad_enabled(codec_too):
            coded = codec(tokens_nND[rows], rate)
        with faster():
            features = heavier.adapter(coded.tokens_BND)
            outputs = heavier.tail.answer(features)
        outputs = outputs.float()
        bits = coded.bits_BN.sum(dim=1).mean() / size
        return (
            task.loss(outputs, public.targets_n[rows])
            + weights.features * feature_distance(features, lessons.features[rows])
            + weights.distillation * task.distillation(outputs, lessons.outputs[rows])
            + (weights.rates[rate] * bits + coded.balance if codec_too else 0.0)
        )

    fit(trained, len(public), plan, step)


def feature_distance(features: Tensor, wanted: Tensor) -> Tensor:
    """Return the L1 distance of features [B, ...] that are L2-normalised for each input, 0..2.

    As in knowledge translation and adaptation (He et al., "Knowledge Adaptation for Efficient
    Semantic Segmentation", CVPR 2019, eq. 3, p = 1 and q = 2), over the square root of their
    number, which is the most that it can be of two unit vectors up to a factor of two.
    """
    first, second = (
        functional.normalize(one.flatten(1).float(), dim=1) for one in (features, wanted)
    )
    distance: Tensor = (first - second).abs().sum(dim=1).mean() / np.sqrt(first.shape[1])
    return distance
