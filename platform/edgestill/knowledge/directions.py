"""The directions in which people differ: what a device's style is described in."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

COMPONENTS = 48
"""Principal components in which directions are sought."""
RIDGE = 1e-2
"""Share of the mean variance that is added to that within users, so that it can be inverted."""
_SEED = 0


def leading_directions(
    residuals: FloatArray, users: NDArray[np.int64] | None, width: int
) -> FloatArray:
    """Return rows [width, F] along which the samples of different users differ most.

    With users these are the leading directions of linear discriminant analysis between users
    (Fisher, Annals of Eugenics 1936; several classes: Rao, JRSS B 1948), sought in the leading
    principal components: most variance between users over least within. Samples spread by 1 within
    a user along each. Without users they are the principal components themselves.

    Args:
        residuals: [N, F] of mean 0, the classes' means taken off.
        users: [N] or None.
        width: at most min(N, F).
    """
    components, _ = principal_components(residuals, min(max(COMPONENTS, width), *residuals.shape))
    if users is None or len(np.unique(users)) < 2:
        return components[:width]
    scores = (residuals @ components.T).astype(np.float64)
    means = user_means(scores, users)
    within, between = _covariance(scores - means), _covariance(means)
    spread = float(np.trace(between + within)) / len(components)
    if not spread:
        return components[:width]
    # Costs a moment to import: only the cloud fits, every device projects.
    from scipy.linalg import eigh

    _, vectors = eigh(between, within + RIDGE * spread * np.eye(len(components)))
    leading = vectors[:, ::-1][:, :width]
    return np.asarray(leading.T @ components, np.float32)


def _covariance(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.cov(rows, rowvar=False).reshape(rows.shape[1], rows.shape[1]))


def user_means(
    rows: NDArray[np.float32] | NDArray[np.float64], users: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return [N, P] with each row replaced by the mean of its user's rows."""
    _, place, counts = np.unique(users, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), rows.shape[1]))
    np.add.at(sums, place, rows)
    return np.asarray((sums / counts[:, None])[place])


def principal_components(features: FloatArray, width: int) -> tuple[FloatArray, FloatArray]:
    """Return orthonormal rows [width, F] by falling variance, and the mean [F].

    Raises:
        ValueError: width exceeds min(N, F).
    """
    if width > min(features.shape):
        raise ValueError(f"{width} components exceed what {features.shape} features have")
    # Costs a second to import: only the cloud fits, every device projects.
    from sklearn.decomposition import PCA

    pca = PCA(n_components=width, random_state=_SEED).fit(features)
    return pca.components_.astype(np.float32), pca.mean_.astype(np.float32)
