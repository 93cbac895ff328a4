"""The loss of one step, term by term: the same lines for one device and for a lane of them.

Letters: B own rows followed by P public rows in one forward pass, K classes, D embedding width.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from edgestill.config import LossConfig
from edgestill.knowledge import align_loss, distill_loss, resource_loss, task_loss
from edgestill.models import Output, Variant

SMALLEST_BUDGET = 0.1
"""Share of the variant's operations that L_resource leaves even under full pressure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What the outputs of one step are held against.

    Attributes:
        labels: [B] of the own rows, then [P] of the public ones.
        own: B.
        logits: the teacher's, [P, K].
        embeddings: the teacher's, kind to [P, D].
        relevance: [P], of the public rows; None when all count the same.
        present: [B + P], 1.0 for samples and 0.0 for filling; None when all are present.
    """

    labels: Tensor
    own: int
    logits: Tensor | None = None
    embeddings: Mapping[str, Tensor] = field(default_factory=dict)
    relevance: Tensor | None = None
    present: Tensor | None = None


def loss_terms(
    output: Output, targets: Targets, variant: Variant, budget: Tensor, loss: LossConfig
) -> dict[str, Tensor]:
    """Return the four terms, scalars, of one forward pass over own and public rows.

    The task is learned from the own rows' labels; where a step has no own rows at all (private
    training takes them apart), from the public ones'.
    """
    own, present = targets.own, targets.present
    rows = slice(own) if own else slice(None)
    return {
        "task": task_loss(
            output.logits[rows], targets.labels[rows], None if present is None else present[rows]
        ),
        "distill": _distill(output, targets, loss),
        "align": align_loss(output.embeddings, loss.contrastive_temperature, present),
        "resource": _resource(output, variant, budget),
    }


def budget_of(variant: Variant, pressure: float) -> float:
    """Return the forward operations that a device's resource pressure in 0..1 leaves it."""
    return max(1.0 - pressure, SMALLEST_BUDGET) * sum(variant.kind_flops.values())


def _distill(output: Output, targets: Targets, loss: LossConfig) -> Tensor:
    own, present = targets.own, targets.present
    if targets.logits is None:
        return torch.zeros((), device=output.logits.device)
    return distill_loss(
        output.logits[own:],
        targets.logits,
        {kind: embedding[own:] for kind, embedding in output.embeddings.items()},
        targets.embeddings,
        temperature=loss.temperature,
        feature_weight=loss.feature,
        present=None if present is None else present[own:],
        relevance=targets.relevance,
    )


def _resource(output: Output, variant: Variant, budget: Tensor) -> Tensor:
    """Expected forward operations under the fusion's gates, against what pressure leaves."""
    if not output.gates:
        return torch.zeros((), device=output.logits.device)
    costs = [gate * variant.kind_flops[kind] for kind, gate in output.gates.items()]
    return resource_loss(torch.stack(costs).sum().reshape(1), budget.reshape(1))
