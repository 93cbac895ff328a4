"""Membership inference: was this sample trained on?

A score is larger for whom the attacker takes for a member. Shape letters: M members, N others,
R reference models.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32] | NDArray[np.float64]

NORMAL_95 = 1.959964
"""Standard normal quantile of a two-sided interval of 95 %."""

SMALLEST_LOSS_NATS = 1e-7
"""A smaller loss is taken for this one: its confidence is 1 in float32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """What a membership attack achieved.

    Attributes:
        auc: area under its ROC curve: 0.5 is chance, 1 is all members before all others.
        auc_low: lower end of the 95 % interval of ``auc``.
        auc_high: upper end.
        true_positive_rate: share of the members found where at most ``false_positive_rate`` of the
            others are taken for members (Carlini et al., IEEE S&P 2022).
        false_positive_rate: 0.01.
        members: M.
        others: N.
    """

    auc: float
    auc_low: float
    auc_high: float
    true_positive_rate: float
    false_positive_rate: float
    members: int
    others: int


def membership_auc(member_scores: Values, other_scores: Values) -> float:
    """Return the chance that a member's score is above another's, ties counting half.

    That is the area under the ROC curve (Hanley & McNeil, Radiology 1982).

    Raises:
        ValueError: no scores on a side, or a score is NaN.
    """
    return float(_placements(member_scores, other_scores).mean())


def judge_membership(
    member_scores: Values, other_scores: Values, *, false_positive_rate: float = 0.01
) -> Membership:
    """Return AUC with its interval (DeLong, DeLong & Clarke-Pearson, Biometrics 1988).

    Raises:
        ValueError: no scores on a side, or a score is NaN.
    """
    of_members = _placements(member_scores, other_scores)
    of_others = 1.0 - _placements(other_scores, member_scores)
    auc = float(of_members.mean())
    half = NORMAL_95 * math.sqrt(_variance_of_mean(of_members) + _variance_of_mean(of_others))
    return Membership(
        auc=auc,
        auc_low=max(0.0, auc - half),
        auc_high=min(1.0, auc + half),
        true_positive_rate=_rate_at(member_scores, other_scores, false_positive_rate),
        false_positive_rate=false_positive_rate,
        members=len(member_scores),
        others=len(other_scores),
    )


def loss_attack(member_losses: Values, other_losses: Values) -> Membership:
    """Take samples of small loss for members.

    Yeom, Giacomelli, Fredrikson & Jha, "Privacy risk in machine learning", CSF 2018, the
    threshold adversary.

    Args:
        member_losses: [M] cross-entropy in nats of samples that the model was trained on.
        other_losses: [N] of samples of the same kind that it was not.

    Raises:
        ValueError: no losses on a side, or one is NaN.
    """
    return judge_membership(
        -np.asarray(member_losses, np.float64), -np.asarray(other_losses, np.float64)
    )


def likelihood_ratio_attack(
    member_losses: Values, other_losses: Values, member_references: Values, other_references: Values
) -> Membership:
    """Compare each sample's confidence with what models say that never saw it.

    Carlini et al., "Membership inference attacks from first principles", IEEE S&P 2022, offline
    variant: the logit of the confidence, less its mean over the reference models. Their standard
    deviation is taken to be the same for all samples, since references are few, and then changes no
    rank. With one reference this is a calibration by difficulty (Watson et al., ICLR 2022).

    Args:
        member_losses: [M] losses in nats of the attacked model.
        other_losses: [N].
        member_references: [R, M] losses in nats of R models trained without these samples.
        other_references: [R, N].

    Raises:
        ValueError: shapes do not fit, or a loss is NaN.
    """
    members = _calibrated(member_losses, member_references)
    others = _calibrated(other_losses, other_references)
    return judge_membership(members, others)


def _calibrated(losses: Values, references: Values) -> NDArray[np.float64]:
    """Return how far each confidence lies above the references'; a shared unit changes no rank."""
    held = np.asarray(references, np.float64)
    if held.ndim != 2 or not len(held) or held.shape[1] != len(losses):
        raise ValueError(
            f"references of shape {held.shape} for {len(losses)} losses; expected [R, samples]"
        )
    difference: NDArray[np.float64] = _logit(losses) - _logit(held).mean(axis=0)
    return difference


def _logit(losses: Values) -> NDArray[np.float64]:
    """Return log(p / (1 - p)) of p = exp(-loss)."""
    nats = np.maximum(np.asarray(losses, np.float64), SMALLEST_LOSS_NATS)
    logits: NDArray[np.float64] = -nats - np.log(-np.expm1(-nats))
    return logits


def _placements(scores: Values, against: Values) -> NDArray[np.float64]:
    """Return for each score the share of the others below it, equal ones counting half."""
    if not len(scores) or not len(against):
        raise ValueError("membership needs at least one member and one other")
    if np.isnan(scores).any() or np.isnan(against).any():
        raise ValueError("a membership score is NaN")
    ordered = np.sort(against)
    below = np.searchsorted(ordered, scores, side="left")
    upto = np.searchsorted(ordered, scores, side="right")
    shares: NDArray[np.float64] = (below + upto) / (2.0 * len(ordered))
    return shares


def _variance_of_mean(values: NDArray[np.float64]) -> float:
    return float(values.var(ddof=1) / len(values)) if len(values) > 1 else 0.0


def _rate_at(member_scores: Values, other_scores: Values, false_positive_rate: float) -> float:
    # The threshold lies just above the first score that would be one false alarm too many.
    allowed = math.floor(false_positive_rate * len(other_scores))
    threshold = np.sort(other_scores)[::-1][allowed]
    return float(np.mean(np.asarray(member_scores) > threshold))
