"""One space for all modalities: where the teacher's features of different kinds agree.

Letters: N samples, D features of a kind, S dimensions of the shared space, M kinds.

RA-CMKD aligns modalities by "subspace projection", with a precision that follows the features'
significance (Cherian & Manoov, "Lightweight Feature Alignment"), and leaves the form open.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

RIDGE = 1e-3
"""Share of the largest variance that is added to each: faint directions are not blown up."""

FINEST_BITS = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SharedSpace:
    """A linear map for each kind into one space.

    Attributes:
        means: kind to [D].
        maps: kind to [S, D].
        significance: [S], falling, in 0..1: how far the kinds agree on a dimension beyond what
            each would by itself.
    """

    means: Mapping[str, FloatArray]
    maps: Mapping[str, FloatArray]
    significance: FloatArray

    def project(self, kind: str, features: FloatArray) -> FloatArray:
        """Return [N, S] for features [N, D], weighed by the root of the significance.

        So a distance or a cosine in this space counts what all kinds can know first.
        """
        shared = (features - self.means[kind]) @ self.maps[kind].T
        return np.asarray(shared * np.sqrt(self.significance), dtype=np.float32)


def fit_shared_space(features: Mapping[str, FloatArray], width: int) -> SharedSpace:
    """Fit S = ``width`` dimensions on the features of the same samples by kind, each [N, D].

    Generalised canonical correlation analysis in its MAXVAR form (Kettenring, "Canonical Analysis
    of Several Sets of Variables", Biometrika 1971): the dimensions whose sum over whitened kinds
    varies most. The significance of a dimension with eigenvalue l is (l - 1) / (M - 1), 1 where all
    kinds say the same and 0 where they have nothing to do with each other; with a single kind,
    where nothing can agree, it is the share of the variance against the largest.

    Raises:
        ValueError: no kinds, or fewer than two samples.
    """
    if not features or any(len(table) < 2 for table in features.values()):
        raise ValueError("a shared space needs at least one kind and two samples")
    means = {k: table.mean(axis=0, dtype=np.float64) for k, table in features.items()}
    whitened = {k: _whitening(table - means[k]) for k, table in features.items()}
    scores = [(features[k] - means[k]) @ whitening.T for k, (whitening, _) in whitened.items()]
    stacked = np.concatenate(scores, axis=1) / np.sqrt(len(scores[0]))
    _, singular, directions = np.linalg.svd(stacked, full_matrices=False)
    maps, start = {}, 0
    for kind, (whitening, _) in whitened.items():
        block = directions[:width, start : start + len(whitening)]
        start += len(whitening)
        maps[kind] = _filled(block @ whitening * np.sqrt(len(features)), width)
    if len(features) > 1:
        significance = (singular[:width] ** 2 - 1.0) / (len(features) - 1)
    else:
        ((_, variances),) = whitened.values()
        significance = np.sort(variances / variances.max())[::-1][:width]
    return SharedSpace(
        means={kind: mean.astype(np.float32) for kind, mean in means.items()},
        maps=maps,
        significance=_filled(np.clip(significance, 0.0, 1.0), width),
    )


def reduce_together(features: Mapping[str, FloatArray], width: int) -> dict[str, FloatArray]:
    """Return features by kind, each [N, D], as [N, width] in the space that they share."""
    space = fit_shared_space(features, width)
    return {kind: space.project(kind, table) for kind, table in features.items()}


def precision_bits(significance: FloatArray, mean_bits: float) -> NDArray[np.int64]:
    """Return whole bits for each dimension [S], of ``mean_bits`` on average or just less.

    Reverse water-filling (Cover & Thomas, "Elements of Information Theory", theorem 10.3.3): a
    dimension gets half the logarithm of its variance above the water; here the significance stands
    for the variance. Bits are dealt one at a time to whichever dimension's distortion is largest, a
    bit being a quarter of it.
    """
    bits = np.zeros(len(significance), np.int64)
    distortion = significance.astype(np.float64)
    for _ in range(int(mean_bits * len(significance))):
        open_ = np.where(bits < FINEST_BITS, distortion, -1.0)
        chosen = int(open_.argmax())
        if open_[chosen] <= 0.0:
            break
        bits[chosen] += 1
        distortion[chosen] /= 4.0
    return bits


def at_precision(features: FloatArray, bits: NDArray[np.int64], reach: FloatArray) -> FloatArray:
    """Return features [N, S] rounded to 2^bits levels within -reach..reach of each dimension.

    A dimension of no bits is 0.

    Args:
        features: in the shared space.
        bits: [S], see :func:`precision_bits`.
        reach: [S], the largest absolute value on public samples.
    """
    levels = 2.0**bits
    step = 2.0 * np.maximum(reach, np.finfo(np.float32).tiny) / levels
    cells = np.clip(np.floor(features / step), -levels / 2, levels / 2 - 1) + 0.5
    return np.where(bits > 0, cells * step, 0.0).astype(np.float32)


def _whitening(centred: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return [D, D] that makes the features uncorrelated and of variance at most 1."""
    covariance = centred.T @ centred / len(centred)
    variances, vectors = np.linalg.eigh(covariance)
    ridge = RIDGE * float(variances[-1]) + 1e-12
    whitening = (vectors / np.sqrt(np.maximum(variances, 0.0) + ridge)).T
    return whitening, np.maximum(variances, 0.0)


def _filled(values: NDArray[np.float64], width: int) -> FloatArray:
    """Return the values with zeros appended along the first axis up to ``width``."""
    filled = np.zeros((width, *values.shape[1:]), np.float32)
    filled[: len(values)] = values
    return filled
