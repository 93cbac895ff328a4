"""Training of split models: the encoder once, then codec and server for each rate.

The encoder is frozen after its pretraining, so merged tokens are computed once and shared by all
models that merge alike (TOFC: Yuan et al., IEEE TMC 2026, one model per lambda).
"""

# Names end in shape letters.
# ruff: noqa: N803, N815

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgestill.codec.learned import FeatureCodec
from edgestill.inference.one_cycle import Plan, step_count, steps
from edgestill.inference.split.answering import AnswerHead
from edgestill.inference.split.encoder import SceneHead, TokenEncoder
from edgestill.inference.split.merging import Merging

_CHUNK = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Merged tokens of n images with their questions and answers.

    Attributes:
        tokens_nND: float32.
        questions_nQ: [n, Q, 11] float32.
        answers_nQ: int64.
    """

    tokens_nND: Tensor
    questions_nQ: Tensor
    answers_nQ: Tensor


class Images(Protocol):
    """Pictures that are standardised when they are asked for."""

    def __len__(self) -> int:
        """Return how many there are."""

    def __getitem__(self, rows: NDArray[np.int64], /) -> Tensor:
        """Return float32 [B, 3, 96, 96]."""


def fit_scenes(encoder: TokenEncoder, images: Images, objects: Tensor, plan: Plan) -> SceneHead:
    """Pretrain the encoder to say where the objects are; ``objects`` is int64 [n, 6, 3].

    Returns:
        what reads it from the tokens.
    """
    head = SceneHead()
    encoder.train()
    for rows in steps([encoder, head], len(images), plan):
        with torch.autocast("cpu", torch.bfloat16):
            tokens = encoder(images[rows])
        _backward(head.loss(tokens.float(), objects[rows]))
    encoder.eval()
    return head


@torch.no_grad()
def merged_tokens(encoder: TokenEncoder, merging: Merging, images: Images) -> Tensor:
    """Return the merged tokens of all images, [n, N, D]."""
    encoder.eval()
    rows = np.arange(len(images))
    parts = [rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)]
    return torch.cat([merging(encoder(images[part])) for part in parts])


def fit_answers(
    head: AnswerHead,
    asked: Asked,
    plan: Plan,
    *,
    codec: FeatureCodec | None = None,
    rate_weight: float = 0.0,
) -> None:
    """Train a server's head, and with it a codec, on merged tokens.

    The loss is that of TOFC (Yuan et al., IEEE TMC 2026): cross-entropy of the answers + lambda *
    rate + load balance.

    Args:
        head: trained further from where it is.
        asked: what it learns from.
        plan: how.
        codec: whose decoded tokens the head sees; the merged tokens themselves without one.
        rate_weight: lambda, for a rate in bits per element of the merged tokens.
    """
    modules: list[nn.Module] = [head] if codec is None else [head, codec]
    for module in modules:
        module.train()
    total = step_count(len(asked.tokens_nND), plan)
    for step, rows in enumerate(steps(modules, len(asked.tokens_nND), plan)):
        tokens, extra = asked.tokens_nND[rows], torch.zeros(())
        if codec is not None:
            codec.anneal(step / total)
            coded = codec(tokens)
            rate = coded.bits_BN.mean() / tokens.shape[-1]
            tokens, extra = coded.tokens_BND, rate_weight * rate + coded.balance
        _backward(_answer_loss(head, tokens, asked, rows) + extra)
    for module in modules:
        module.eval()


def fit_jointly(
    encoder: TokenEncoder,
    head: AnswerHead,
    scenes: SceneHead,
    merging: Merging,
    images: Images,
    asked: Asked,
    objects: Tensor,
    plan: Plan,
) -> None:
    """Train encoder and head together, through the merging, for answers and for where objects are.

    Args:
        encoder: trained further from where it is.
        head: as the encoder.
        scenes: as the encoder; a new one would disturb what it reads from.
        merging: between them.
        images: n pictures, as they are to be seen.
        asked: their questions and answers; its tokens are not looked at.
        objects: int64 [n, 6, 3].
        plan: how.
    """
    encoder.train()
    head.train()
    for rows in steps([encoder, head, scenes], len(images), plan):
        with torch.autocast("cpu", torch.bfloat16):
            tokens = encoder(images[rows])
        tokens = tokens.float()
        loss = _answer_loss(head, merging(tokens), asked, rows)
        _backward(loss + 0.5 * scenes.loss(tokens, objects[rows]))
    encoder.eval()
    head.eval()


def _backward(loss: Tensor) -> None:
    loss.backward()  # type: ignore[no-untyped-call]


def _answer_loss(
    head: AnswerHead, tokens_BND: Tensor, asked: Asked, rows: NDArray[np.int64]
) -> Tensor:
    logits = head(tokens_BND, asked.questions_nQ[rows])
    return nn.functional.cross_entropy(logits.flatten(0, 1), asked.answers_nQ[rows].flatten())
