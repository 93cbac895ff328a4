"""Which of the teacher's public samples a device distils from."""

import numpy as np
from numpy.typing import NDArray

from edgestill.config import KnowledgeConfig
from edgestill.knowledge.bank import KnowledgeBank
from edgestill.knowledge.summary import Summary

Positions = NDArray[np.int64]
Scores = NDArray[np.float64]


def select(
    config: KnowledgeConfig,
    *,
    bank: KnowledgeBank,
    summary: Summary | None,
    rng: np.random.Generator,
    budget: int,
) -> Positions:
    """Return positions in the bank, sorted, at most ``budget`` of them. Pure but for ``rng``.

    The idea is SFD's (Chen et al., IEEE TMC 2025): distil only what is relevant to the device's own
    data; the rule, open there, is :func:`relevance`. The other policies are its controls.

    ``relevance`` keeps the ``keep_ratio`` of highest scores and draws from them with probability
    proportional to the score, so that rounds differ; samples of score 0 are never drawn.
    ``reversed`` does the same with the scores mirrored about the middle of their range. ``random``
    draws uniformly, ``all`` returns everything whatever the budget, ``none`` nothing.

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
            return np.empty(0, dtype=np.int64)
        case "all":
            return np.arange(len(bank), dtype=np.int64)
        case "random":
            return _draw(np.ones(len(bank)), 1.0, budget, rng)
        case policy:
            scores = np.ones(len(bank)) if summary is None else relevance(config, bank, summary)
            if policy == "reversed":
                scores = scores.max() + scores.min() - scores
            return _draw(scores, config.keep_ratio, budget, rng)


def relevance(config: KnowledgeConfig, bank: KnowledgeBank, summary: Summary) -> Scores:
    """Return how relevant each public sample is to the device, [M], at least 0.

    Histogram: the class's share among the device's samples over its share of the public ones (the
    density ratio of label shift, Lipton, Wang & Smola, ICML 2018). Prototypes: that times
    softmax_i(max_k cos(z_i, p_k) / T), z_i being sample i's projection, p_k the device's sum for
    class k and T ``relevance_temperature``. What is done to the noised numbers is post-processing
    and costs no privacy: negative counts are taken as 0, one standard deviation of the noise is
    added to every class, since so much may be hidden of a class that shows none, and a prototype
    counts only if its class has more samples than that, for it would be mostly noise. A summary
    without any positive count makes all samples equal.

    Raises:
        ValueError: the summary has other classes or another projection width than the bank.
    """
    if len(summary.histogram) != bank.classes:
        raise ValueError(
            f"summary has {len(summary.histogram)} classes; the bank has {bank.classes}"
        )
    counts = np.maximum(summary.histogram.astype(np.float64), 0.0)
    if not counts.any():
        return np.ones(len(bank))
    public = np.bincount(bank.labels, minlength=bank.classes) / len(bank)
    smoothed = counts + summary.noise_stddev
    ratio = smoothed / smoothed.sum() / np.maximum(public, 1.0 / len(bank))
    scores: Scores = ratio[bank.labels]
    if summary.sums is not None:
        present = counts > summary.noise_stddev
        scores = scores * _similarity(
            bank.projections, summary.sums[present], config.relevance_temperature
        )
    return scores


def _similarity(
    projections: NDArray[np.float32], prototypes: NDArray[np.float32], temperature: float
) -> Scores:
    """Return softmax_i(max_k cos / T) times M, so that 1 is the average; [M]."""
    if prototypes.shape[1] != projections.shape[1]:
        raise ValueError(
            f"prototypes have width {prototypes.shape[1]}; projections {projections.shape[1]}"
        )
    if len(prototypes) == 0:
        return np.ones(len(projections))
    cosine = (_unit(projections) @ _unit(prototypes).T).max(axis=1)
    weights = np.exp((cosine - cosine.max()) / temperature)
    return np.asarray(weights / weights.mean(), dtype=np.float64)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    return np.asarray(wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12))


def _draw(scores: Scores, keep_ratio: float, budget: int, rng: np.random.Generator) -> Positions:
    """Draw from the highest scores without replacement, in proportion to them.

    Efraimidis & Spirakis, "Weighted random sampling with a reservoir", Information Processing
    Letters 2006, in its exponential form: the smallest of Exp(1) / score.
    """
    shuffled = rng.permutation(len(scores))
    # Whole classes share a score: shuffled first, the tie at the edge is not always cut the same.
    ranked = shuffled[np.argsort(-scores[shuffled], kind="stable")]
    kept = ranked[: int(np.ceil(keep_ratio * len(scores)))]
    kept = kept[scores[kept] > 0.0]
    keys = rng.exponential(size=len(kept)) / scores[kept]
    chosen = kept[np.argsort(keys, kind="stable")[:budget]]
    return np.sort(chosen).astype(np.int64)
