"""From scenes to both halves: the encoder and the head once, then a codec for each rate."""

import copy
import math
from dataclasses import dataclass

import torch

from edgestill.codec.learned import FeatureCodec, Kind
from edgestill.inference.one_cycle import Plan
from edgestill.inference.split.answering import AnswerHead
from edgestill.inference.split.encoder import SceneHead, TokenEncoder
from edgestill.inference.split.fitting import (
    Asked,
    fit_answers,
    fit_jointly,
    fit_scenes,
    merged_tokens,
)
from edgestill.inference.split.merging import Merging
from edgestill.inference.split.scenes import Part
from edgestill.seeds import derive_seed

_SCENE_RATE, _ANSWER_RATE, _JOINT_RATE, _CODEC_RATE = 4e-3, 2e-3, 1e-3, 3e-3
_CODEC_BATCH = 32
_STEP, _STEP_WEIGHT = 0.3, 0.02
"""Coarsest quantisation step that a codec begins with, about the size of a token's features, and
the lambda below which it begins with a finer one."""

_USUAL_TOKENS = 16
"""Above so many tokens a codec learns as much from fewer images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Epochs:
    """How long each stage is trained; 0 leaves the joint one out."""

    scenes: float
    answers: float
    joint: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Backbone:
    """The model before any codec, in evaluation mode; ``scenes`` is what pretrained the encoder."""

    encoder: TokenEncoder
    head: AnswerHead
    scenes: SceneHead


def train_backbone(public: Part, merging: Merging, epochs: Epochs, *, seed: int) -> Backbone:
    """Train encoder and head on scenes, without any codec."""
    torch.manual_seed(seed)
    encoder, head = TokenEncoder(), AnswerHead()
    plan = Plan(epochs=epochs.scenes, learning_rate=_SCENE_RATE, seed=seed)
    scenes = fit_scenes(encoder, public.pictures, public.objects, plan)
    asked = public.asked(merged_tokens(encoder, merging, public.pictures))
    plan = Plan(epochs=epochs.answers, learning_rate=_ANSWER_RATE, seed=seed)
    fit_answers(head, asked, plan)
    if epochs.joint:
        plan = Plan(epochs=epochs.joint, learning_rate=_JOINT_RATE, seed=seed)
        fit_jointly(encoder, head, scenes, merging, public.pictures, asked, public.objects, plan)
    return Backbone(encoder=encoder, head=head, scenes=scenes)


def train_codec(
    head: AnswerHead, asked: Asked, *, experts: int, rate_weight: float, epochs: float, seed: int
) -> tuple[FeatureCodec, AnswerHead]:
    """Return a codec, frozen, and the head that was trained with it, from a head without one.

    Args:
        head: of the backbone; it stays as it is.
        asked: merged tokens to learn from.
        experts: entropy models; one is a plain hyperprior.
        rate_weight: lambda, cross-entropy against bits per element.
        epochs: over all images, of up to 16 tokens each.
        seed: of the codec and of the order.
    """
    torch.manual_seed(derive_seed(seed, f"codec/{experts}/{rate_weight}"))
    own = copy.deepcopy(head)
    tokens, dimension = asked.tokens_nND.shape[1:]
    kind: Kind = "mixture" if experts > 1 else "hyperprior"
    codec = FeatureCodec(dimension, kind=kind, experts=experts, step=_first_step(rate_weight))
    plan = Plan(
        epochs=epochs * min(1.0, _USUAL_TOKENS / tokens),
        learning_rate=_CODEC_RATE,
        seed=seed,
        batch=_CODEC_BATCH,
    )
    fit_answers(own, asked, plan, codec=codec, rate_weight=rate_weight)
    codec.freeze()
    return codec, own


def _first_step(rate_weight: float) -> float:
    """Return the quantisation step that a codec begins with.

    At high rate a loss D + lambda * R is least for a step in proportion to lambda's square root
    (Gish and Pierce, IEEE Trans. Information Theory 1968); so small a step is not reached from a
    coarse one in a few epochs.
    """
    return _STEP * min(1.0, math.sqrt(rate_weight / _STEP_WEIGHT))
