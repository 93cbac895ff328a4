"""The four terms of the student's loss.

Letters: B samples, K classes, D embedding width, M modality kinds. Every term is a scalar tensor,
takes no branch on values, and can be run under ``torch.func.vmap``.

``present`` [B] holds 1.0 for samples and 0.0 for rows that only fill a batch up to the length of
others': these play no part, and a term of no samples at all is 0.
"""

from collections.abc import Mapping
from itertools import combinations

import torch
from torch import Tensor
from torch.nn import functional

ABSENT_SIMILARITY = -1e9
"""Far below any cosine over any temperature, and finite, so that no row of all absent gives NaN."""


def task_loss(logits: Tensor, labels: Tensor, present: Tensor | None = None) -> Tensor:
    """Return the mean cross-entropy of the true labels."""
    logarithms = functional.log_softmax(logits, dim=-1)
    return -_mean(logarithms.gather(-1, labels.unsqueeze(-1)).squeeze(-1), present)


def _mean(values: Tensor, present: Tensor | None) -> Tensor:
    if present is None:
        return values.mean()
    return (values * present).sum() / present.sum().clamp(min=1.0)


def distill_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    student_embeddings: Mapping[str, Tensor],
    teacher_embeddings: Mapping[str, Tensor],
    *,
    temperature: float,
    feature_weight: float,
    present: Tensor | None = None,
    relevance: Tensor | None = None,
) -> Tensor:
    """Return mean_i r_i (tau^2 KL_i(teacher || student) + feature_weight * feature distance_i).

    KL at temperature tau: Hinton, Vinyals & Dean, "Distilling the Knowledge in a Neural Network",
    2015, section 2. Feature distance, after Rakib & Bagavathi, "G2D", ICCV 2025: the squared L2
    distance of the L2-normalised embeddings (twice one minus their cosine, 0..4), averaged over
    samples and over the student's kinds.

    Args:
        student_logits: of a student that saw some kinds.
        teacher_logits: of the teacher, which saw all.
        student_embeddings: kind to [B, D], of the kinds the student saw; may be empty.
        teacher_embeddings: kind to [B, D], at least those kinds.
        temperature: tau > 0.
        feature_weight: at least 0.
        present: [B], all when None.
        relevance: r [B], at least 0 and of mean 1 over the device's samples; all 1 when None.
            The weighting of both terms is SFD's (Chen et al., IEEE TMC 2025).
    """
    student = functional.log_softmax(student_logits / temperature, dim=-1)
    teacher = functional.log_softmax(teacher_logits / temperature, dim=-1)
    # Written out, since torch's kl_div runs device by device under vmap.
    divergences = (teacher.exp() * (teacher - student)).sum(dim=-1)
    divergence = _mean(_weighted(divergences, relevance), present)
    loss = temperature**2 * divergence
    if not student_embeddings:
        return loss
    distances = [
        _mean(_weighted(feature_distance(embedding, teacher_embeddings[kind]), relevance), present)
        for kind, embedding in student_embeddings.items()
    ]
    return loss + feature_weight * torch.stack(distances).mean()


def _weighted(values: Tensor, relevance: Tensor | None) -> Tensor:
    return values if relevance is None else values * relevance


def feature_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the squared L2 distance of L2-normalised features [B, D], of each sample, 0..4."""
    difference = functional.normalize(student, dim=-1) - functional.normalize(teacher, dim=-1)
    return difference.square().sum(dim=-1)


def align_loss(
    embeddings: Mapping[str, Tensor], temperature: float, present: Tensor | None = None
) -> Tensor:
    """Return the symmetric InfoNCE between kinds, averaged over their pairs; 0 with fewer than two.

    van den Oord et al., "Representation Learning with Contrastive Predictive Coding", 2018, eq. 4,
    in the symmetric form of Radford et al., "CLIP", ICML 2021, figure 3: the two kinds of one
    sample attract, those of different samples in the batch repel.

    Args:
        embeddings: kind to [B, D].
        temperature: of the cosine similarities, > 0.
        present: [B], all when None.
    """
    units = [functional.normalize(embedding, dim=-1) for embedding in embeddings.values()]
    terms = [_symmetric_info_nce(a, b, temperature, present) for a, b in combinations(units, 2)]
    if not terms:
        return units[0].new_zeros(()) if units else torch.zeros(())
    return torch.stack(terms).mean()


def _symmetric_info_nce(a: Tensor, b: Tensor, temperature: float, present: Tensor | None) -> Tensor:
    similarity = a @ b.transpose(-1, -2) / temperature
    return (_info_nce(similarity, present) + _info_nce(similarity.transpose(-1, -2), present)) / 2


def _info_nce(similarity: Tensor, present: Tensor | None) -> Tensor:
    if present is not None:
        similarity = torch.where(present.bool(), similarity, ABSENT_SIMILARITY)
    logarithms = functional.log_softmax(similarity, dim=-1)
    return -_mean(logarithms.diagonal(dim1=-2, dim2=-1), present)


def resource_loss(expected_costs: Tensor, budgets: Tensor) -> Tensor:
    """Return sum_k max(0, c_k / b_k - 1): nothing within budget, the relative excess beyond it.

    Plays the part of the cost regulariser of Xue & Marculescu, "Dynamic Multimodal Fusion", CVPRW
    2023, as a hinge, so that spending what is allowed is not punished.

    Args:
        expected_costs: [k], differentiable, such as operations under the fusion's gates.
        budgets: [k], positive, in the same units.
    """
    return functional.relu(expected_costs / budgets - 1.0).sum()
