"""Training by a loss for each batch, and forward passes over all samples."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from edgestill.inference.one_cycle import Plan, Rows, step_count, steps

_CHUNK = 200

Step = Callable[[Rows, float], Tensor]
"""Places of a batch, and how far the training is, 0..1, to the loss."""


def fit(modules: Sequence[nn.Module], count: int, plan: Plan, step: Step) -> None:
    """Train modules on ``count`` inputs; they are in evaluation mode afterwards.

    Args:
        modules: whose parameters are moved.
        count: n.
        plan: how.
        step: gives the loss of a batch.
    """
    for module in modules:
        module.train()
    total = step_count(count, plan)
    for done, rows in enumerate(steps(modules, count, plan)):
        step(rows, done / total).backward()  # type: ignore[no-untyped-call]
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
