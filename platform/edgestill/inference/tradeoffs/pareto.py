"""How much trade-offs cover together."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def hypervolume(costs_MK: Floats, reference_K: Floats) -> float:  # noqa: N803 - shape letters
    """Return the volume between points and a reference (Zitzler & Thiele, PPSN 1998).

    Exact, by slicing along the last axis; for the few points of a front.

    Args:
        costs_MK: K costs of each point, to be low; what lies beyond the reference counts nothing.
        reference_K: the worst that counts.
    """
    inside = costs_MK[(costs_MK < reference_K).all(axis=1)]
    if not len(inside):
        return 0.0
    if inside.shape[1] == 1:
        return float(reference_K[0] - inside.min())
    inside = inside[np.argsort(inside[:, -1], kind="stable")]
    ends = np.append(inside[1:, -1], reference_K[-1])
    return sum(
        float(end - start) * hypervolume(inside[: count + 1, :-1], reference_K[:-1])
        for count, (start, end) in enumerate(zip(inside[:, -1], ends, strict=True))
        if end > start
    )
