"""Which of the teacher's public samples a device distils from, and how much each counts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgestill.config import KnowledgeConfig
from edgestill.knowledge.bank import KnowledgeBank
from edgestill.knowledge.frames import RELEVANCE_LEVELS
from edgestill.knowledge.scores import Scores, relevance
from edgestill.knowledge.summary import Summary

Positions = NDArray[np.int64]

NEWTON_STEPS = 32
ACCURACY = 1e-3
"""Of the expected number of samples drawn, in samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is sent to a device.

    Attributes:
        positions: [n] in the bank, sorted.
        relevance: [n] uint8, what each counts in the distillation, in parts of the largest, 255;
            None where all count the same.
    """

    positions: Positions
    relevance: NDArray[np.uint8] | None = None


def select(
    config: KnowledgeConfig,
    *,
    bank: KnowledgeBank,
    summary: Summary | None,
    rng: np.random.Generator,
    budget: int,
) -> Choice:
    """Return what a device is sent, at most ``budget`` samples. Pure but for ``rng``.

    The idea is SFD's (Chen et al., IEEE TMC 2025): distil only what is relevant to the device's own
    data; the rule, open there, is :func:`edgestill.knowledge.relevance`. The other policies are its
    controls.

    ``relevance`` keeps the ``keep_ratio`` of highest scores and draws from them with probability
    proportional to the score, so that rounds differ; samples of score 0 are never drawn. What is
    drawn is weighted so that the weighted loss estimates that of all kept samples, each weighted by
    its score. ``reversed`` does the same with the scores dealt out in the opposite order, so that
    the least relevant has the highest. ``random`` draws uniformly, ``all`` returns everything
    whatever the budget, ``none`` nothing.

    Args:
        config: policy, keep ratio, temperature.
        bank: the public samples.
        summary: the device's; None makes ``relevance`` and ``reversed`` uniform.
        rng: of this device and round.
        budget: at least 0.

    Raises:
        ValueError: the summary does not fit the bank, or the budget is negative.
    """
    if budget < 0:
        raise ValueError(f"budget is {budget}; expected at least 0")
    match config.selection:
        case "none":
            return Choice(positions=np.empty(0, dtype=np.int64))
        case "all":
            return Choice(positions=np.arange(len(bank), dtype=np.int64))
        case "random":
            return _drawn(np.ones(len(bank)), 1.0, budget, rng)
        case policy:
            scores = np.ones(len(bank)) if summary is None else relevance(config, bank, summary)
            if policy == "reversed":
                scores = _mirrored(scores, rng)
            return _drawn(scores, config.keep_ratio, budget, rng)


def inclusion(scores: Scores, count: int) -> Scores:
    """Return each sample's chance of being among ``count`` drawn in proportion to scores, [n].

    Whoever draws exponential times of rate ``scores`` and stops at time L has taken sample i with
    probability 1 - exp(-L s_i); L is such that ``count`` are expected, by Newton's method, which
    comes from below since the sum is concave in L. All ones where ``count`` is not below n.
    """
    if count >= len(scores):
        return np.ones(len(scores))
    time = count / scores.sum()
    for _ in range(NEWTON_STEPS):
        missed = np.exp(-time * scores)
        short = count - (1.0 - missed).sum()
        if short < ACCURACY:
            break
        time += short / max(float(scores @ missed), 1e-300)
    return np.asarray(-np.expm1(-time * scores))


def _drawn(scores: Scores, keep_ratio: float, budget: int, rng: np.random.Generator) -> Choice:
    """Draw from the highest scores without replacement, in proportion to them.

    Efraimidis & Spirakis, "Weighted random sampling with a reservoir", Information Processing
    Letters 2006, in its exponential form: the smallest of Exp(1) / score. Each counts its score
    over its chance of being drawn (Horvitz & Thompson, JASA 1952): about the same for all while
    the budget is small, more for the relevant once these are exhausted.
    """
    shuffled = rng.permutation(len(scores))
    # Whole classes share a score: shuffled first, the tie at the edge is not always cut the same.
    ranked = shuffled[np.argsort(-scores[shuffled], kind="stable")]
    kept = ranked[: int(np.ceil(keep_ratio * len(scores)))]
    kept = kept[scores[kept] > 0.0]
    keys = rng.exponential(size=len(kept)) / scores[kept]
    place = np.sort(np.argsort(keys, kind="stable")[:budget])
    weights = (scores[kept] / inclusion(scores[kept], budget))[place] if len(place) else keys[:0]
    order = np.argsort(kept[place])
    return Choice(positions=kept[place][order].astype(np.int64), relevance=_levels(weights[order]))


def _levels(weights: Scores) -> NDArray[np.uint8] | None:
    if not len(weights) or np.ptp(weights) <= 1e-9 * weights.max():
        return None
    levels = np.rint(weights / weights.max() * RELEVANCE_LEVELS)
    return np.asarray(np.maximum(levels, 1), np.uint8)


def _mirrored(scores: Scores, rng: np.random.Generator) -> Scores:
    """Return the scores with the highest given to the lowest, the second to the second lowest..."""
    shuffled = rng.permutation(len(scores))
    rising = shuffled[np.argsort(scores[shuffled], kind="stable")]
    mirrored = np.empty_like(scores)
    mirrored[rising] = scores[rising[::-1]]
    return mirrored
