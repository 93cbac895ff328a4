"""Public subspaces: what devices describe their data in, and what teacher features travel in.

Both are principal components (scikit-learn) of public samples, so that they say nothing about any
device's data.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

PROJECTION_WIDTH = 16
_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """An affine map from the inputs of all kinds to P numbers.

    Attributes:
        kinds: the order in which the kinds' flattened inputs are concatenated to F features.
        mean: [F], of the public inputs.
        basis: [P, F].
    """

    kinds: tuple[str, ...]
    mean: FloatArray
    basis: FloatArray

    @property
    def width(self) -> int:
        """P."""
        return len(self.basis)

    @property
    def fingerprint(self) -> int:
        """Unsigned 32-bit name of these numbers, for the frames of summaries made with them."""
        text = "/".join(self.kinds).encode()
        return zlib.crc32(self.basis.tobytes(), zlib.crc32(self.mean.tobytes(), zlib.crc32(text)))


def fit_projection(inputs: Mapping[str, FloatArray], width: int = PROJECTION_WIDTH) -> Projection:
    """Fit a projection on public inputs.

    Each kind's block is divided by the root of its total variance first, so that a kind does not
    weigh more for having more pixels (the block scaling of multiple factor analysis, Escofier &
    Pagès, Computational Statistics & Data Analysis 1994). The result is scaled so that the median
    public sample has norm 1: a clip norm of 1 keeps half of the samples whole.

    Args:
        inputs: kind to [N, *shape], N >= 2; all kinds that devices have.
        width: P, at most min(N, F).

    Raises:
        ValueError: width exceeds min(N, F).
    """
    kinds = tuple(inputs)
    blocks = [inputs[kind].reshape(len(inputs[kind]), -1) for kind in kinds]
    weights = np.concatenate([_block_weight(block) for block in blocks])
    features = np.concatenate(blocks, axis=1)
    components, mean = _principal_components(features * weights, width)
    basis = components * weights
    mean = (mean / weights).astype(np.float32)
    norms = np.linalg.norm((features - mean) @ basis.T, axis=1)
    scale = float(np.median(norms)) or 1.0
    return Projection(kinds=kinds, mean=mean, basis=(basis / scale).astype(np.float32))


def project(projection: Projection, inputs: Mapping[str, FloatArray]) -> FloatArray:
    """Return [n, P] for inputs by kind, each [n, *shape].

    Raises:
        ValueError: a kind is missing or the shapes are not those of the fit.
    """
    missing = [kind for kind in projection.kinds if kind not in inputs]
    if missing:
        raise ValueError(f"the projection needs the inputs of {', '.join(missing)}")
    features = np.concatenate(
        [inputs[kind].reshape(len(inputs[kind]), -1) for kind in projection.kinds], axis=1
    )
    if features.shape[1] != len(projection.mean):
        raise ValueError(
            f"inputs have {features.shape[1]} features; the projection {len(projection.mean)}"
        )
    return np.asarray((features - projection.mean) @ projection.basis.T, dtype=np.float32)


def reduce_width(features: FloatArray, width: int) -> FloatArray:
    """Return [N, D] as [N, width] in the orthonormal basis of its leading principal components.

    Keeps as much of the distances between samples as ``width`` numbers can. With fewer than
    ``width`` components at hand the rest is 0.
    """
    at_hand = min(width, *features.shape)
    components, mean = _principal_components(features, at_hand)
    reduced = np.zeros((len(features), width), np.float32)
    reduced[:, :at_hand] = (features - mean) @ components.T
    return reduced


def _block_weight(block: FloatArray) -> FloatArray:
    spread = float(np.sqrt(block.var(axis=0, dtype=np.float64).sum()))
    return np.full(block.shape[1], 1.0 / spread if spread else 1.0, np.float32)


def _principal_components(features: FloatArray, width: int) -> tuple[FloatArray, FloatArray]:
    """Return orthonormal rows [width, F] by falling variance, and the mean [F]."""
    if width > min(features.shape):
        raise ValueError(f"{width} components exceed what {features.shape} features have")
    # Costs a second to import: only the cloud fits, every device projects.
    from sklearn.decomposition import PCA

    pca = PCA(n_components=width, random_state=_SEED).fit(features)
    return pca.components_.astype(np.float32), pca.mean_.astype(np.float32)
