"""Attribute inference: whose sample is it, or whose voice, by what travels?"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

HELD_SHARE = 0.2
"""Of the attacker's own samples, by which he decides between his probes."""

MOST_FEATURES = 512
"""More features are reduced by principal components before a probe."""

FEWEST_SAMPLES = 10

NORMAL_95 = 1.959964
"""Standard normal quantile of a two-sided interval of 95 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeInference:
    """What an attribute attack achieved on samples that it never saw.

    Attributes:
        accuracy: share of the test samples whose attribute was found, 0..1.
        accuracy_low: lower end of the 95 % interval (Wilson, JASA 1927).
        accuracy_high: upper end.
        chance: accuracy of who sees nothing and always answers with the attribute that is most
            frequent among his own samples.
        probe: which was best on samples held out: ``linear`` or ``mlp``.
        samples: tested.
    """

    accuracy: float
    accuracy_low: float
    accuracy_high: float
    chance: float
    probe: str
    samples: int


def infer_attribute(
    seen: Floats,
    attribute: Integers,
    test_seen: Floats,
    test_attribute: Integers,
    *,
    seed: int,
) -> AttributeInference:
    """Train a linear and a two-layer probe on labelled samples and test the better one.

    The attacker has what travelled for samples whose attribute he knows (Song & Raghunathan,
    "Information leakage in embedding models", CCS 2020; Melis et al., "Exploiting
    unintended feature leakage in collaborative learning", IEEE S&P 2019). An attribute value that
    he has no sample of counts as not found.

    Args:
        seen: [N, ...], what travelled for the attacker's own samples.
        attribute: [N] integers, such as the user or the voice.
        test_seen: [M, ...] as ``seen``.
        test_attribute: [M], only compared with.
        seed: of all that is drawn.

    Raises:
        ValueError: shapes do not fit, values are not finite, there are fewer than 10 samples, or
            all of them have one attribute.
    """
    _check(seen, attribute, test_seen, test_attribute)
    values, counts = np.unique(attribute, return_counts=True)
    prepare = _preparation(seen, seed)
    order = np.random.default_rng(seed).permutation(len(seen))
    held, kept = np.split(order, [max(1, round(HELD_SHARE * len(seen)))])
    features = prepare(seen)

    def held_accuracy(name: str) -> float:
        if len(np.unique(attribute[kept])) < 2:
            return 0.0
        probe = _fitted(name, features[kept], attribute[kept], seed)
        return float(probe.score(features[held], attribute[held]))

    best = max(_PROBES, key=held_accuracy)
    probe = _fitted(best, features, attribute, seed)
    found = int(np.sum(probe.predict(prepare(test_seen)) == test_attribute))
    low, high = wilson_interval(found, len(test_seen))
    return AttributeInference(
        accuracy=found / len(test_seen),
        accuracy_low=low,
        accuracy_high=high,
        chance=float(np.mean(test_attribute == values[counts.argmax()])),
        probe=best,
        samples=len(test_seen),
    )


def wilson_interval(found: int, samples: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson, JASA 1927).

    Raises:
        ValueError: no samples, or more found than there are.
    """
    if not 0 <= found <= samples or samples < 1:
        raise ValueError(f"found {found} of {samples}; expected a share of at least one sample")
    share, square = found / samples, NORMAL_95**2
    centre = (share + square / (2 * samples)) / (1 + square / samples)
    spread = math.sqrt(share * (1 - share) / samples + square / (4 * samples**2))
    half = NORMAL_95 * spread / (1 + square / samples)
    return max(0.0, centre - half), min(1.0, centre + half)


_PROBES = ("linear", "mlp")


def _fitted(name: str, features: Floats, attribute: Integers, seed: int) -> Any:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    probe: Any = (
        LogisticRegression(max_iter=300)
        if name == "linear"
        else MLPClassifier((128,), max_iter=60, random_state=seed % 2**32)
    )
    with warnings.catch_warnings():
        # A probe that is stopped early is still a probe; the better one is chosen by its answers.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return probe.fit(features, attribute)


def _preparation(seen: Floats, seed: int) -> Any:
    """Return what standardises features, and reduces them where they are many."""
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    flat = _flat(seen)
    steps: list[Any] = [StandardScaler()]
    if flat.shape[1] > MOST_FEATURES:
        most = min(MOST_FEATURES, len(flat) - 1)
        steps.append(PCA(most, svd_solver="randomized", random_state=seed % 2**32))
    pipeline = make_pipeline(*steps).fit(flat)
    return lambda values: pipeline.transform(_flat(values))


def _flat(values: Floats) -> Floats:
    return np.asarray(values, np.float32).reshape(len(values), -1)


def _check(seen: Floats, attribute: Integers, test_seen: Floats, test_attribute: Integers) -> None:
    fits = (
        seen.ndim >= 2
        and attribute.shape == (len(seen),)
        and test_attribute.shape == (len(test_seen),)
        and seen.shape[1:] == test_seen.shape[1:]
    )
    if not fits or len(seen) < FEWEST_SAMPLES or not len(test_seen):
        raise ValueError(
            f"seen {seen.shape} with {attribute.shape} attributes, test {test_seen.shape} with "
            f"{test_attribute.shape}: expected one attribute for each sample, at least "
            f"{FEWEST_SAMPLES} samples and one of test"
        )
    if not (np.isfinite(seen).all() and np.isfinite(test_seen).all()):
        raise ValueError("features contain NaN or infinity")
    if len(np.unique(attribute)) < 2:
        raise ValueError("all samples have one attribute; there is nothing to infer")
