"""How relevant each public sample is to a device, by the little that the device has told."""

import numpy as np
from numpy.typing import NDArray

from edgestill.config import KnowledgeConfig
from edgestill.knowledge.bank import KnowledgeBank
from edgestill.knowledge.summary import Summary

Scores = NDArray[np.float64]

HIDDEN_SHARE = 0.25
"""Of the noise's standard deviation: what may be hidden of a class that shows none."""


def relevance(config: KnowledgeConfig, bank: KnowledgeBank, summary: Summary) -> Scores:
    """Return how relevant each public sample is to the device, [M], of mean 1 over the bank.

    The class's share among the device's samples over its share of the public ones (the density
    ratio of label shift, Lipton, Wang & Smola, ICML 2018), and with a prototype p that times
    softmax_i(cos(s_i, p) / T): s_i is the style of sample i, T ``relevance_temperature``.

    What is done to the noised numbers is post-processing and costs no privacy. The counts are the
    most likely ones that are not negative (:func:`likely_counts`). The cosine is shrunk by how much
    of the prototype's square can be told from the noise's (positive-part James-Stein, Efron &
    Morris, JASA 1973), so that a device with few samples gets a broad choice, not a wrong one.

    Raises:
        ValueError: the summary has other classes or another projection width than the bank.
    """
    if len(summary.histogram) != bank.classes:
        raise ValueError(
            f"summary has {len(summary.histogram)} classes; the bank has {bank.classes}"
        )
    public = np.bincount(bank.labels, minlength=bank.classes) / len(bank)
    counts = likely_counts(summary.histogram, summary.noise_stddev)
    scores: Scores = (counts / counts.sum() / np.maximum(public, 1.0 / len(bank)))[bank.labels]
    if summary.prototype is not None:
        scores = scores * _similarity(bank.styles, summary, config.relevance_temperature)
    return scores


def likely_counts(histogram: NDArray[np.float32], noise_stddev: float) -> Scores:
    """Return the class counts that explain a noised histogram best, [K], all positive.

    The nearest point to it whose counts are not negative and have its sum (projection on a simplex,
    Duchi et al., ICML 2008, figure 1), which is the most likely one under Gaussian noise; without
    it, the positive halves of the noise on absent classes would add up. A share of the noise's
    deviation is added to every class, since so much may be hidden of a class that shows none. All
    classes are equal where the sum is not positive.
    """
    wide = histogram.astype(np.float64)
    total = wide.sum()
    if total <= 0.0:
        return np.ones(len(wide))
    falling = np.sort(wide)[::-1]
    excess = (np.cumsum(falling) - total) / np.arange(1, len(wide) + 1)
    threshold = excess[np.flatnonzero(falling > excess)[-1]]
    return np.asarray(np.maximum(wide - threshold, 0.0) + HIDDEN_SHARE * noise_stddev)


def _similarity(styles: NDArray[np.float32], summary: Summary, temperature: float) -> Scores:
    """Return softmax_i(shrunk cos / T) times M, so that 1 is the average; [M]."""
    prototype = np.asarray(summary.prototype, np.float64)
    if len(prototype) != styles.shape[1]:
        raise ValueError(f"prototype has width {len(prototype)}; styles {styles.shape[1]}")
    square = float(prototype @ prototype)
    if square <= 0.0:
        return np.ones(len(styles))
    shrinkage = max(0.0, 1.0 - len(prototype) * summary.noise_stddev**2 / square)
    cosine = _unit(styles) @ (prototype / np.sqrt(square))
    weights = np.exp(shrinkage * (cosine - cosine.max()) / temperature)
    return np.asarray(weights / weights.mean(), dtype=np.float64)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    return np.asarray(wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12))
