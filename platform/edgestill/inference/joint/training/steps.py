"""How every part is trained: AdamW, one cycle of the learning rate, gradients clipped."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

BATCH = 64
_CLIP = 1.0
_DECAY = 0.01
_CHUNK = 200

Rows = NDArray[np.int64]
Step = Callable[[Rows, float], Tensor]
"""Places of a batch, and how far the training is, 0..1, to the loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how fast.

    Attributes:
        epochs: over all inputs; may be a fraction.
        learning_rate: the highest.
        seed: of the order of inputs.
    """

    epochs: float
    learning_rate: float
    seed: int


def fit(modules: Sequence[nn.Module], count: int, plan: Plan, step: Step) -> None:
    """Train modules on ``count`` inputs; they are in evaluation mode afterwards.

    Args:
        modules: whose parameters are moved.
        count: n.
        plan: how.
        step: gives the loss of a batch.
    """
    parameters = [p for module in modules for p in module.parameters()]
    batch, rng = min(BATCH, count), np.random.default_rng(plan.seed)
    total = max(1, round(plan.epochs * count / batch))
    optimiser = torch.optim.AdamW(
        parameters, plan.learning_rate, betas=(0.9, 0.98), weight_decay=_DECAY
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, plan.learning_rate, total_steps=total + 1, pct_start=0.15
    )
    for module in modules:
        module.train()
    order = rng.permutation(count)
    for done in range(total):
        if len(order) < batch:
            order = np.concatenate([order, rng.permutation(count)])
        rows, order = np.sort(order[:batch]), order[batch:]
        optimiser.zero_grad()
        step(rows, done / total).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, _CLIP)
        optimiser.step()
        schedule.step()
    for module in modules:
        module.eval()


def faster() -> torch.autocast:
    """Return a context of half the time on a CPU with bfloat16, for forward passes in training."""
    return torch.autocast("cpu", torch.bfloat16)


@torch.no_grad()
def chunked(count: int, run: Callable[[slice], Tensor]) -> Tensor:
    """Return what ``run`` gives for all places, some at a time, as one tensor [count, ...]."""
    starts = range(0, count, _CHUNK)
    return torch.cat([run(slice(start, min(start + _CHUNK, count))) for start in starts])
