"""How networks of joint and split inference are trained: AdamW, one cycle, clipped gradients."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

_CLIP = 1.0
_DECAY = 0.01

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how fast.

    Attributes:
        epochs: over all samples; may be a fraction.
        learning_rate: the highest of the cycle (Smith & Topin, 2019).
        seed: of the order of samples.
        batch: samples of a step; fewer where there are fewer.
    """

    epochs: float
    learning_rate: float
    seed: int
    batch: int = 64


def step_count(samples: int, plan: Plan) -> int:
    """Return how many steps a plan takes on so many samples, at least 1."""
    return max(1, round(plan.epochs * samples / min(plan.batch, samples)))


def steps(modules: Sequence[nn.Module], samples: int, plan: Plan) -> Iterator[Rows]:
    """Yield the places of each batch, ascending; the step is taken when the next is asked for.

    Args:
        modules: whose parameters are moved, by the gradients that the caller left.
        samples: how many there are, at least 1.
        plan: how.
    """
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(
        parameters, plan.learning_rate, betas=(0.9, 0.98), weight_decay=_DECAY, fused=True
    )
    count, batch = step_count(samples, plan), min(plan.batch, samples)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, plan.learning_rate, total_steps=count + 1, pct_start=0.15
    )
    rng = np.random.default_rng(plan.seed)
    order = rng.permutation(samples)
    for _ in range(count):
        if len(order) < batch:
            order = np.concatenate([order, rng.permutation(samples)])
        rows, order = order[:batch], order[batch:]
        optimiser.zero_grad()
        yield np.sort(rows)
        nn.utils.clip_grad_norm_(parameters, _CLIP)
        optimiser.step()
        schedule.step()
